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
        feature_units: of its linear code.
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
    def values(self) -> int:
        """Numbers in the latents of an image."""
        return math.prod(self.latent_shape)

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


class ToldLatents(nn.Module):
    """What features tell of latents linearly.

    Attributes:
        config: sizes.
        dtype: of the arithmetic; parameters are float32.
    """

    config: LatentGeneratorConfig
    dtype: Any = None

    @nn.compact
    def __call__(self, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(n, features) -> code (n, feature_units), latents (n, values), not yet in rows."""
        config = self.config
        code = Dense(config.feature_units, dtype=self.dtype, name="features")(features)
        return code, Dense(config.values, dtype=self.dtype, name="latents")(code)


class LatentGenerator(nn.Module):
    """Latents of features and noise: a linear map of both, and what a network adds to it.

    A fresh network adds nothing, so that the linear map, whose best weights are known in closed
    form, is where training begins (`priors.ic_gan.linear_start`).

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
        code, told = ToldLatents(config, self.dtype, name="told")(features)
        noise = noise.astype(code.dtype)
        linear = told + self._dense(config.values, "left_open", use_bias=False)(noise)
        linear = linear.reshape(-1, *config.latent_shape)
        condition = jnp.concatenate([nn.silu(code), noise], axis=1)
        condition = nn.silu(self._dense(config.feature_units, "mixed")(condition))
        own = self._dense(config.first_units, "first")(condition)
        x = own if first is None else jnp.asarray(first, own.dtype)
        x = x.reshape(len(x), FIRST, FIRST, config.width)
        for side in config.sides:
            x = doubled(x) if side > FIRST else x
            if side == config.sides[-1]:
                x = x + self._conv(config.width, "linear")(linear)
            for i in range(config.blocks):
                block = ConditionedBlock(config.groups, self.dtype, name=f"block{side}_{i}")
                x = block(x, condition)
        x = nn.silu(GroupNorm(config.groups, _EPSILON, self.dtype, name="norm")(x))
        added = self._conv(config.latent_shape[2], "latents", kernel_init=_ZEROS)(x)
        return (linear + added).astype(jnp.float32)

    def _dense(self, units: int, name: str, **options: Any) -> Dense:
        return Dense(units, dtype=self.dtype, name=name, **options)

    def _conv(self, channels: int, name: str, **options: Any) -> Conv:
        return Conv(channels, 3, padding=1, dtype=self.dtype, name=name, **options)


class NoiseEncoder(nn.Module):
    """What the noise was, as a Gaussian, given what an image's features leave open of its latents.

    Attributes:
        config: sizes.
        dtype: of the arithmetic; parameters are float32.
    """

    config: LatentGeneratorConfig
    dtype: Any = None

    @nn.compact
    def __call__(self, rest: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Latents less those told, (n, side, side, channels) -> mean, log deviation (n, noise)."""
        config, x = self.config, rest
        for side in reversed(config.sides):
            x = x if side == config.latent_shape[0] else nn.avg_pool(x, (2, 2), (2, 2))
            conv = Conv(config.width, 3, padding=1, dtype=self.dtype, name=f"conv{side}")
            x = nn.silu(conv(x))
        x = x.reshape(len(x), -1).astype(jnp.float32)
        found = Dense(2 * config.noise, kernel_init=_ZEROS, name="noise")(x)
        added, log_deviation = jnp.split(found, 2, axis=1)
        linear = Dense(config.noise, use_bias=False, name="linear")(rest.reshape(len(rest), -1))
        return linear + added, jnp.clip(log_deviation, -6.0, 2.0)


def encoded(config: LatentGeneratorConfig, params: Any, latents: Any, features: Any) -> Any:
    """The noise of images as the encoder finds it, as a pure function.

    Args:
        config: sizes.
        params: "generator" and "encoder".
        latents: (n, side, side, channels).
        features: (n, features).

    Returns:
        Mean and log deviation, each (n, noise).
    """
    given = {"params": params["generator"]["told"]}
    told: Any = ToldLatents(config).apply(given, features)
    rest = latents - told[1].reshape(latents.shape)
    return NoiseEncoder(config).apply({"params": params["encoder"]}, rest)
