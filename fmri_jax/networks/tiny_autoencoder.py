"""Tiny autoencoders for the latents of large diffusion models: TAESD and TAEF2."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks.group_norm import GroupNorm
from fmri_jax.networks.modules import Conv, Dense
from fmri_jax.networks.resampling import check_sides, doubled

CHANNELS = 64
WIDE = 4 * CHANNELS  # of the normalised layer
NORM_GROUPS = 4
EPSILON = 1e-5
REDUCTION = 8
LIMIT = 3.0  # of latents


@dataclasses.dataclass(frozen=True)
class TinyAutoencoderConfig:
    """Which of the family.

    Attributes:
        latent_channels: of the latents.
        normalised: whether the three blocks next to the latents begin with a normalised layer,
            through which pixels see the whole image.
    """

    latent_channels: int
    normalised: bool


TAESD = TinyAutoencoderConfig(latent_channels=4, normalised=False)
TAEF2 = TinyAutoencoderConfig(latent_channels=32, normalised=True)


def _conv(features: int, name: str, dtype: Any, **options: Any) -> Conv:
    return Conv(features, 3, padding=1, dtype=dtype, name=name, **options)


class Block(nn.Module):
    """Three 3 x 3 convolutions beside a shortcut, a ReLU after each.

    Attributes:
        normalised: whether the input passes a wide 1 x 1 layer with group normalisation first,
            beside a shortcut of its own.
        dtype: of the arithmetic; parameters are float32.
    """

    normalised: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, 64) -> (n, h, w, 64)."""
        x = x_BHWC
        if self.normalised:
            y = Dense(WIDE, use_bias=False, dtype=self.dtype, name="widen")(x)
            y = nn.relu(GroupNorm(NORM_GROUPS, EPSILON, self.dtype, name="norm")(y))
            x = x + Dense(CHANNELS, use_bias=False, dtype=self.dtype, name="narrow")(y)
        y = x
        for i in range(3):
            y = _conv(CHANNELS, f"conv{i}", self.dtype)(y if i == 0 else nn.relu(y))
        return nn.relu(x + y)


class Encoder(nn.Module):
    """Images -> latents; three halvings, of which the last three blocks may be normalised.

    Attributes:
        config: which of the family.
        dtype: of the arithmetic; parameters are float32.
    """

    config: TinyAutoencoderConfig
    dtype: Any = None

    @nn.compact
    def __call__(self, images_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, 3) in [0, 1] -> (n, h / 8, w / 8, latent channels)."""
        x = _conv(CHANNELS, "conv_in", self.dtype)(images_BHWC)
        for level, blocks in enumerate((1, 3, 3, 3)):
            if level:
                x = _conv(CHANNELS, f"level{level}_conv", self.dtype, stride=2, use_bias=False)(x)
            for i in range(blocks):
                normalised = self.config.normalised and level == 3
                x = Block(normalised, self.dtype, name=f"level{level}_block{i}")(x)
        conv = _conv(self.config.latent_channels, "conv_out", self.dtype)
        return conv(x).astype(jnp.float32)


class Decoder(nn.Module):
    """Latents -> images; three doublings, of which the first three blocks may be normalised.

    Attributes:
        config: which of the family.
        dtype: of the arithmetic; parameters are float32.
    """

    config: TinyAutoencoderConfig
    dtype: Any = None

    @nn.compact
    def __call__(self, latents_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, latent channels) -> (n, 8 h, 8 w, 3), about [0, 1]."""
        x = LIMIT * jnp.tanh(latents_BHWC / LIMIT)
        x = nn.relu(_conv(CHANNELS, "conv_in", self.dtype)(x))
        for level, blocks in ((3, 3), (2, 3), (1, 3), (0, 1)):
            for i in range(blocks):
                normalised = self.config.normalised and level == 3
                x = Block(normalised, self.dtype, name=f"level{level}_block{i}")(x)
            if level:
                x = _conv(CHANNELS, f"level{level}_conv", self.dtype, use_bias=False)(doubled(x))
        return _conv(3, "conv_out", self.dtype)(x).astype(jnp.float32)


class TinyAutoencoder(nn.Module):
    """Deterministic latents that resemble those of a large autoencoder, in a hundredth of the time.

    Attributes:
        config: which of the family.
        dtype: of the arithmetic, such as bfloat16; parameters and results are float32.

    References:
        Boer Bohan (2023), TAESD, github.com/madebyollin/taesd (MIT): 1,222,532 parameters of the
        encoder and 1,222,531 of the decoder; TAEF2 1,338,528 and 1,338,499.
    """

    config: TinyAutoencoderConfig = TAEF2
    dtype: Any = None

    def setup(self) -> None:
        """Its two halves, the parameters `encoder` and `decoder`."""
        self.encoder = Encoder(self.config, self.dtype)
        self.decoder = Decoder(self.config, self.dtype)

    def __call__(self, images_BHWC: jax.Array) -> jax.Array:
        """Images in [0, 1], encoded and decoded."""
        return self.decode(self.encode(images_BHWC))

    def encode(self, images_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, 3) in [0, 1] -> (n, h / 8, w / 8, latent channels), about unit variance.

        Raises:
            InputError: images have other shapes.
        """
        check_sides("images", images_BHWC.shape, 3, REDUCTION)
        return self.encoder(images_BHWC)

    def decode(self, latents_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, latent channels) -> images (n, 8 h, 8 w, 3), about [0, 1], not clipped."""
        return self.decoder(latents_BHWC)
