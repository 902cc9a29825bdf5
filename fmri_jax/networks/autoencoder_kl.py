"""The autoencoder of latent diffusion (Rombach et al. 2022): images <-> latents."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.networks.group_norm import GroupNorm
from fmri_jax.networks.modules import Conv, Dense
from fmri_jax.networks.resampling import (
    check_sides,
    coarse_waves,
    doubled,
    gather_squares,
    halved,
    spread_squares,
)
from fmri_jax.networks.residual_block import ZEROS, ResidualBlock
from fmri_jax.networks.tokens import Attention

EPSILON = 1e-6  # of all normalisations
LOG_VARIANCES = (-30.0, 20.0)  # of the posterior, clipped
QUIET = 4.0  # by how much the log-variance of latents with a shortcut is lower to begin with
SCALE = 0.18215  # latents of Stable Diffusion 1.x times this have about unit variance


@dataclasses.dataclass(frozen=True)
class AutoencoderKLConfig:
    """Sizes of an autoencoder; as they stand, Stable Diffusion 1.x's kl-f8 (83,653,863 parameters).

    Attributes:
        channels: of each level, from the image to the latents, each half as large.
        blocks: residual blocks of a level of the encoder; the decoder has one more.
        attention: whether pixels attend to each other at the last level.
        latent_channels: of the latents.
        colours: of the images.
        groups: of the group normalisations.
        patch: px, side of the squares of pixels that the first level sees as one; 1 as published.
        shortcut: whether linear maps from squares to latents, and back, stand beside the network.
            They start as the coarsest waves, from which on the network learns what they lack; for
            one level alone.
    """

    channels: tuple[int, ...] = (128, 256, 512, 512)
    blocks: int = 2
    attention: bool = True
    latent_channels: int = 4
    colours: int = 3
    groups: int = 32
    patch: int = 1
    shortcut: bool = False

    def __post_init__(self) -> None:
        """Rejects channels that the groups do not divide, and shortcuts over several levels."""
        if self.shortcut and len(self.channels) > 1:
            raise InputError(
                f"channels are {self.channels} with a shortcut: expected those of one level."
            )
        if any(n % self.groups for n in self.channels):
            raise InputError(
                f"channels are {self.channels}: expected multiples of {self.groups} groups."
            )

    @property
    def reduction(self) -> int:
        """How many times the sides of an image are those of its latents."""
        return self.patch * 2 ** (len(self.channels) - 1)


KL_F8 = AutoencoderKLConfig()


def waves(config: AutoencoderKLConfig) -> np.ndarray:
    """(values of a square, latent channels) with which the shortcut starts."""
    return coarse_waves(config.patch, config.latent_channels, config.colours)


class _Layers(nn.Module):
    """What the encoder and the decoder have in common."""

    config: AutoencoderKLConfig
    dtype: Any = None

    def _block(self, channels: int, name: str) -> ResidualBlock:
        return ResidualBlock(channels, self.config.groups, EPSILON, self.dtype, name=name)

    def _conv(self, channels: int, name: str, stride: int = 1, padding: int = 1) -> Conv:
        return Conv(channels, 3, stride, padding, dtype=self.dtype, name=name)

    def _last(self) -> dict[str, Any]:
        """How a layer starts whose values are added to a shortcut's: at zero."""
        return {"kernel_init": ZEROS} if self.config.shortcut else {}

    def _shortcut(self, features: int, start: np.ndarray) -> Dense:
        first = nn.initializers.constant(start)
        return Dense(features, dtype=self.dtype, kernel_init=first, name="shortcut")

    def _norm(self, name: str) -> GroupNorm:
        return GroupNorm(self.config.groups, EPSILON, self.dtype, name=name)

    def _middle(self, x_BHWC: jax.Array) -> jax.Array:
        channels = self.config.channels[-1]
        x = self._block(channels, "middle_residual0")(x_BHWC)
        if self.config.attention:
            tokens = self._norm("middle_norm")(x).reshape(len(x), -1, channels)
            attention = Attention(1, dtype=self.dtype, name="middle_attention")
            x = x + attention(tokens).reshape(x.shape)
        return self._block(channels, "middle_residual1")(x)


class Encoder(_Layers):
    """Images -> mean and log-variance of their latents.

    Attributes:
        config: the sizes.
        dtype: of the arithmetic; parameters are float32.
    """

    @nn.compact
    def __call__(self, images_BHWC: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(n, h, w, colours) in [-1, 1] -> two (n, h / reduction, w / reduction, latents)."""
        config = self.config
        squares = gather_squares(images_BHWC, config.patch)
        x = self._conv(config.channels[0], "conv_in")(squares)
        for level, channels in enumerate(config.channels):
            for i in range(config.blocks):
                x = self._block(channels, f"down{level}_residual{i}")(x)
            if level + 1 < len(config.channels):
                x = halved(self._conv(channels, f"down{level}_half", stride=2, padding=0), x)
        x = nn.silu(self._norm("norm_out")(self._middle(x)))
        moments = self._conv(2 * config.latent_channels, "conv_out")(x)
        last = Dense(moments.shape[-1], dtype=self.dtype, name="moments", **self._last())
        mean, log_variance = jnp.split(last(moments).astype(jnp.float32), 2, axis=-1)
        if config.shortcut:
            mean = mean + self._shortcut(config.latent_channels, waves(config))(squares)
            log_variance = log_variance - QUIET
        return mean, jnp.clip(log_variance, *LOG_VARIANCES)


class Decoder(_Layers):
    """Latents -> images.

    Attributes:
        config: the sizes.
        dtype: of the arithmetic; parameters are float32.
    """

    @nn.compact
    def __call__(self, latents_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, latents) -> (n, reduction h, reduction w, colours), about [-1, 1]."""
        config = self.config
        squares = config.patch**2 * config.colours
        x = Dense(config.latent_channels, dtype=self.dtype, name="latents")(latents_BHWC)
        x = self._conv(config.channels[-1], "conv_in")(x)
        x = self._middle(x)
        for level, channels in reversed(list(enumerate(config.channels))):
            for i in range(config.blocks + 1):
                x = self._block(channels, f"up{level}_residual{i}")(x)
            if level:
                x = self._conv(channels, f"up{level}_double")(doubled(x))
        x = nn.silu(self._norm("norm_out")(x))
        last = Conv(squares, 3, padding=1, dtype=self.dtype, name="conv_out", **self._last())
        x = last(x).astype(jnp.float32)
        if config.shortcut:
            x = x + self._shortcut(squares, waves(config).T)(latents_BHWC)
        return spread_squares(x, config.patch)


class AutoencoderKL(nn.Module):
    """A variational autoencoder whose latents are images of their own, with few channels.

    Attributes:
        config: the sizes.
        dtype: of the arithmetic, such as bfloat16; parameters, statistics of normalisations and
            results stay float32.

    References:
        Rombach et al. (2022), "High-resolution image synthesis with latent diffusion models", CVPR,
        section 3.1 and appendix G.
    """

    config: AutoencoderKLConfig = KL_F8
    dtype: Any = None

    def setup(self) -> None:
        """Its two halves, the parameters `encoder` and `decoder`."""
        self.encoder = Encoder(self.config, self.dtype)
        self.decoder = Decoder(self.config, self.dtype)

    def __call__(self, images_BHWC: jax.Array) -> jax.Array:
        """Images in [-1, 1], encoded as posterior means and decoded."""
        return self.decode(self.encode(images_BHWC)[0])

    def encode(self, images_BHWC: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The posterior of the latents.

        Args:
            images_BHWC: (n, h, w, colours) in [-1, 1], sides divisible by the reduction.

        Returns:
            Mean and log-variance, unscaled, each (n, h / reduction, w / reduction, latents).

        Raises:
            InputError: images have other shapes.
        """
        config = self.config
        check_sides("images", images_BHWC.shape, config.colours, config.reduction)
        return self.encoder(images_BHWC)

    def decode(self, latents_BHWC: jax.Array) -> jax.Array:
        """Unscaled latents (n, h, w, latent channels) -> images, about [-1, 1], not clipped."""
        return self.decoder(latents_BHWC)
