"""A generator of latents from the features of an instance and noise, and its encoder."""

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks.group_norm import GroupNorm
from fmri_jax.networks.modules import HE, Conv, Dense
from fmri_jax.networks.resampling import doubled

FIRST = 4  # px, the side that the first dense layer gives
_EPSILON = 1e-5
_ZEROS = nn.initializers.zeros


@dataclasses.dataclass(frozen=True)
class LatentGeneratorConfig:
    """Sizes of a generator of latents.

    Attributes:
        latent_shape: (side, side, channels) of the latents; the side is 4 or one of its doubles.
        features: length of the instance's feature vector.
        feature_units: of its embedding.
        noise: length of the noise.
        width: channels of every layer.
        blocks: residual blocks at each side.
        groups: of the normalisations.
    """

    latent_shape: tuple[int, int, int] = (16, 16, 8)
    features: int = 1280
    feature_units: int = 128
    noise: int = 64
    width: int = 64
    blocks: int = 2
    groups: int = 8

    def __post_init__(self) -> None:
        """Rejects latents of other sides."""
        height, width, _ = self.latent_shape
        if height != width or width not in (FIRST << i for i in range(6)):
            raise InputError(
                f"latent_shape is {self.latent_shape}: expected squares of 4, 8, 16 ... pixels."
            )
        if self.width % self.groups:
            raise InputError(f"width is {self.width}: expected a multiple of {self.groups} groups.")

    @property
    def noise_used(self) -> int:
        """Values of the noise that act."""
        return self.noise

    @property
    def first_units(self) -> int:
        """Of the first dense layer."""
        return FIRST * FIRST * self.width

    @property
    def sides(self) -> tuple[int, ...]:
        """Of the images of activations, from small to large."""
        return tuple(FIRST << i for i in range(int(math.log2(self.latent_shape[0] // FIRST)) + 1))


class ConditionedBlock(nn.Module):
    """Norm scaled by a condition, SiLU and a 3 x 3 convolution, twice, beside the identity.

    Attributes:
        groups: of the normalisations.
        dtype: of the arithmetic; parameters are float32.
    """

    groups: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array, condition_BF: jax.Array) -> jax.Array:
        """(n, h, w, c), condition (n, any) -> (n, h, w, c)."""
        channels, y = x_BHWC.shape[-1], x_BHWC
        for i, first_kernel in ((1, HE), (2, _ZEROS)):  # a fresh block is the identity
            y = GroupNorm(self.groups, _EPSILON, self.dtype, name=f"norm{i}")(y)
            maps = Dense(2 * channels, dtype=self.dtype, kernel_init=_ZEROS, name=f"scale{i}")
            scale, shift = jnp.split(maps(condition_BF)[:, None, None], 2, axis=-1)
            conv = Conv(
                channels, 3, padding=1, dtype=self.dtype, kernel_init=first_kernel, name=f"conv{i}"
            )
            y = conv(nn.silu(y * (1 + scale) + shift))
        return x_BHWC + y


class LatentGenerator(nn.Module):
    """Latents of features and noise.

    Attributes:
        config: sizes.
        dtype: of the arithmetic; parameters are float32.
    """

    config: LatentGeneratorConfig
    dtype: Any = None

    @nn.compact
    def __call__(
        self, noise: jax.Array, features: jax.Array, first: jax.Array | None = None
    ) -> jax.Array:
        """Makes latents.

        Args:
            noise: (n, noise).
            features: (n, features) of the instance.
            first: (n, `first_units`) what stands in for the first dense layer's activations, as
                rows, columns, channels; None: that of features and noise.

        Returns:
            (n, side, side, channels).
        """
        config = self.config
        embedded = nn.silu(self._dense(config.feature_units, "features")(features))
        condition = jnp.concatenate([embedded, noise.astype(embedded.dtype)], axis=1)
        condition = nn.silu(self._dense(2 * config.feature_units, "mixed")(condition))
        own = self._dense(config.first_units, "first")(condition)
        x = own if first is None else jnp.asarray(first, own.dtype)
        x = x.reshape(len(x), FIRST, FIRST, config.width)
        for side in config.sides:
            x = doubled(x) if side > FIRST else x
            for i in range(config.blocks):
                block = ConditionedBlock(config.groups, self.dtype, name=f"block{side}_{i}")
                x = block(x, condition)
        x = nn.silu(GroupNorm(config.groups, _EPSILON, self.dtype, name="norm")(x))
        out = Conv(config.latent_shape[2], 3, padding=1, dtype=self.dtype, name="latents")
        return out(x).astype(jnp.float32)

    def _dense(self, units: int, name: str) -> Dense:
        return Dense(units, dtype=self.dtype, name=name)


class NoiseEncoder(nn.Module):
    """What the noise was, as a Gaussian, given an image's latents and its instance's features.

    Attributes:
        config: sizes.
        dtype: of the arithmetic; parameters are float32.
    """

    config: LatentGeneratorConfig
    dtype: Any = None

    @nn.compact
    def __call__(self, latents: jax.Array, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Latents (n, side, side, channels), features (n, features) -> mean, log deviation."""
        config, x = self.config, latents
        for side in reversed(config.sides):
            x = x if side == config.latent_shape[0] else nn.avg_pool(x, (2, 2), (2, 2))
            conv = Conv(config.width, 3, padding=1, dtype=self.dtype, name=f"conv{side}")
            x = nn.silu(conv(x))
        embedded = nn.silu(Dense(config.feature_units, dtype=self.dtype, name="features")(features))
        both = jnp.concatenate([x.reshape(len(x), -1), embedded], axis=1).astype(jnp.float32)
        found = Dense(2 * config.noise, kernel_init=_ZEROS, name="noise")(both)
        mean, log_deviation = jnp.split(found, 2, axis=1)
        return mean, jnp.clip(log_deviation, -6.0, 2.0)
