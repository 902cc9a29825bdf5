"""The UNet of latent diffusion (Rombach et al. 2022), with one context or a mixture of several."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks.group_norm import GroupNorm
from fmri_jax.networks.modules import Conv
from fmri_jax.networks.resampling import check_sides, doubled
from fmri_jax.networks.residual_block import ZEROS, ResidualBlock
from fmri_jax.networks.transformer_block import SpatialTransformer

EPSILON = 1e-5  # of every normalisation but those before transformers
LONGEST_PERIOD = 10_000  # steps, of the time embedding


@dataclasses.dataclass(frozen=True)
class UNetConfig:
    """Sizes of a UNet.

    Attributes:
        latent_channels: in, and out.
        channels: of each level, from the largest latents to the smallest, each half as large.
        attention: which levels have transformers.
        blocks: residual blocks of a level on the way down; one more on the way up.
        middle: what stands below the last level: a transformer between two residual blocks, one
            residual block, or nothing.
        heads: of every attention.
        contexts: widths of the contexts' tokens, each with transformers of its own.
        groups: of the group normalisations.
        places: how many tokens of the first context, from its first, are places of the image, row
            by row of a square; they are laid beside the latents, too. 0: none has a place.
    """

    latent_channels: int = 4
    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    attention: tuple[bool, ...] = (True, True, True, False)
    blocks: int = 2
    middle: Literal["attention", "residual", "none"] = "attention"
    heads: int = 8
    contexts: tuple[int, ...] = (768,)
    groups: int = 32
    places: int = 0

    def __post_init__(self) -> None:
        """Rejects levels that do not match, and places that are no square."""
        if math.isqrt(self.places) ** 2 != self.places or (self.places and not self.contexts):
            raise InputError(
                f"places is {self.places} with {len(self.contexts)} contexts: expected a square "
                "number of tokens of a context."
            )
        if len(self.attention) != len(self.channels):
            raise InputError(
                f"attention is {self.attention}: expected one truth value for each level of "
                f"channels {self.channels}."
            )
        divisor = self.groups * self.heads
        if any(n % self.groups or n % self.heads for n in self.channels):
            raise InputError(
                f"channels are {self.channels}: expected multiples of {self.groups} groups and of "
                f"{self.heads} heads, such as {divisor}."
            )


# Stable Diffusion 1.x, and what Versatile Diffusion has for images: 859,520,964 parameters.
SD_1 = UNetConfig()
# Versatile Diffusion with both contexts of images, embeddings of an image and of a text, in this
# order: 1,126,760,324 parameters.
VERSATILE = UNetConfig(contexts=(768, 768))


class UNet(nn.Module):
    """Noised latents, time and contexts -> the noise.

    Tokens that have places are resized to the latents and taken in with them (Rombach et al. 2022,
    section 3.3: conditioning by concatenation), beside the cross attention.

    With several contexts, each transformer of the network becomes one per context, and what they
    add to the image is mixed: h + sum over i of weight_i (T_i(h, context_i) - h).

    Attributes:
        config: the sizes.
        dtype: of the arithmetic, such as bfloat16; parameters, the time embedding and statistics
            of normalisations stay float32.

    References:
        Rombach et al. (2022), "High-resolution image synthesis with latent diffusion models", CVPR.
        Xu et al. (2023), "Versatile Diffusion: text, images and variations all in one diffusion
        model", ICCV: the mixture of contexts.
    """

    config: UNetConfig = SD_1
    dtype: Any = None

    @nn.compact
    def __call__(
        self,
        latents_BHWC: jax.Array,
        steps_B: jax.Array,
        contexts: Sequence[jax.Array] = (),
        mixture: Sequence[Any] | None = None,
    ) -> jax.Array:
        """Predicts the noise.

        Args:
            latents_BHWC: (n, h, w, c), sides divisible by 2 for each level after the first.
            steps_B: (n,), of the diffusion, from 0.
            contexts: (n, tokens, width) each, in the order of `config.contexts`; the first with at
                least `config.places` tokens.
            mixture: a weight per context, in all 1; needed with several.

        Returns:
            (n, h, w, c) float32.

        Raises:
            InputError: contexts, mixture or latents have other shapes than the network.
        """
        config = self.config
        mixture = self._checked(latents_BHWC, contexts, mixture)
        time = self._embedded(steps_B)
        x = latents_BHWC
        if config.places:
            x = jnp.concatenate([x, self._laid(contexts[0], x)], axis=-1)
        x = self._conv(config.channels[0], "conv_in")(x)
        kept = [x]
        for level, channels in enumerate(config.channels):
            for i in range(config.blocks):
                x = self._block(channels, f"down{level}_residual{i}")(x, time)
                if config.attention[level]:
                    x = self._attend(f"down{level}_transformer{i}", x, contexts, mixture)
                kept.append(x)
            if level + 1 < len(config.channels):
                x = self._conv(channels, f"down{level}_half", stride=2)(x)
                kept.append(x)
        x = self._middle(x, time, contexts, mixture)
        for level, channels in reversed(list(enumerate(config.channels))):
            for i in range(config.blocks + 1):
                x = jnp.concatenate([x, kept.pop()], axis=-1)
                x = self._block(channels, f"up{level}_residual{i}")(x, time)
                if config.attention[level]:
                    x = self._attend(f"up{level}_transformer{i}", x, contexts, mixture)
            if level:
                x = self._conv(channels, f"up{level}_double")(doubled(x))
        x = nn.silu(GroupNorm(config.groups, EPSILON, self.dtype, name="norm_out")(x))
        conv = Conv(
            config.latent_channels,
            3,
            padding=1,
            dtype=self.dtype,
            kernel_init=ZEROS,
            name="conv_out",
        )
        return conv(x).astype(jnp.float32)

    def _laid(self, context: jax.Array, latents: jax.Array) -> jax.Array:
        """Tokens that have places as images of the latents' size, (n, h, w, width)."""
        side = math.isqrt(self.config.places)
        tokens = context[:, : side**2].reshape(len(context), side, side, -1)
        shape = (*latents.shape[:3], tokens.shape[-1])
        return jax.image.resize(tokens, shape, "bilinear").astype(latents.dtype)

    def _middle(
        self, x: jax.Array, time: jax.Array, contexts: Sequence[jax.Array], mixture: Sequence[Any]
    ) -> jax.Array:
        channels = self.config.channels[-1]
        if self.config.middle == "none":
            return x
        x = self._block(channels, "middle_residual0")(x, time)
        if self.config.middle == "residual":
            return x
        x = self._attend("middle_transformer0", x, contexts, mixture)
        return self._block(channels, "middle_residual1")(x, time)

    def _attend(
        self, name: str, x: jax.Array, contexts: Sequence[jax.Array], mixture: Sequence[Any]
    ) -> jax.Array:
        """The image with the mixture of what its contexts add to it."""
        config = self.config
        total = x
        for i, (context, weight) in enumerate(zip(contexts, mixture, strict=True)):
            transformer = SpatialTransformer(
                config.heads, config.groups, self.dtype, name=f"{name}_context{i}"
            )
            added = transformer(x, context)
            if len(contexts) > 1:
                added = jnp.asarray(weight, added.dtype) * added
            total = total + added
        return total

    def _embedded(self, steps_B: jax.Array) -> jax.Array:
        """(n,) -> (n, 4 x channels of the first level), in float32."""
        first = self.config.channels[0]
        half = first // 2
        rates = jnp.exp(-jnp.log(LONGEST_PERIOD) * jnp.arange(half) / half)
        angles = steps_B.astype(jnp.float32)[:, None] * rates
        waves = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)
        hidden = nn.silu(nn.Dense(4 * first, name="time_fc1")(waves))
        return nn.Dense(4 * first, name="time_fc2")(hidden)

    def _block(self, channels: int, name: str) -> ResidualBlock:
        return ResidualBlock(channels, self.config.groups, EPSILON, self.dtype, name=name)

    def _conv(self, channels: int, name: str, stride: int = 1) -> Conv:
        return Conv(channels, 3, stride, padding=1, dtype=self.dtype, name=name)

    def _checked(
        self, latents: jax.Array, contexts: Sequence[jax.Array], mixture: Sequence[Any] | None
    ) -> Sequence[Any]:
        """The weights of the contexts, after their shapes and the latents' have been compared."""
        config, n = self.config, len(latents)
        found = [c.shape for c in contexts]
        if len(found) != len(config.contexts) or any(
            len(shape) != 3 or (shape[0], shape[2]) != (n, width)
            for shape, width in zip(found, config.contexts, strict=True)
        ):
            expected = [f"({n}, tokens, {width})" for width in config.contexts]
            raise InputError(
                f"contexts have shapes {found}: expected one each of {', '.join(expected)}."
            )
        divisor = 2 ** (len(config.channels) - 1)
        check_sides("latents", latents.shape, config.latent_channels, divisor)
        if mixture is None:
            mixture = (1.0,) if len(found) == 1 else ()
        if len(mixture) != len(found):
            raise InputError(
                f"mixture has {len(mixture)} weights: expected one for each of {len(found)} "
                "contexts."
            )
        if config.places and found[0][1] < config.places:
            raise InputError(
                f"the first context has {found[0][1]} tokens: expected at least {config.places}, "
                "one for each place."
            )
        return mixture
