"""Very deep variational autoencoder (Child 2021): images as a stack of latents, coarse to fine."""

import dataclasses
import functools
import re
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks.modules import Conv
from fmri_jax.networks.pyramid import QUIET, Level
from fmri_jax.networks.resampling import gather_squares, spread_squares

Gaussian = tuple[jax.Array, jax.Array]  # mean and log of the standard deviation, (n, h, w, z)

# PyTorch's own initialisation of a convolution: uniform within 1 / sqrt(values per output).
_UNIFORM = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


PIXEL_UNITS = 0.544  # an image as the encoder takes it, times this, varies as pixels in [-1, 1]


def _scaled(factor: float) -> Any:
    return nn.initializers.variance_scaling(factor / 3, "fan_in", "uniform")


@dataclasses.dataclass(frozen=True)
class VDVAEConfig:
    """A very deep VAE, in the words of the published configurations.

    Attributes:
        encoder: blocks, from image to 1 x 1: "64x11" are eleven of 64 x 64, "64d2" one more that
            then averages 2 x 2 pixels.
        decoder: blocks, from 1 x 1 to image: "4m1" is one of 4 x 4 that begins with what 1 x 1
            found, enlarged.
        width: channels, wherever `widths` says nothing.
        widths: (resolution, channels) pairs; fewer at higher resolutions.
        bottleneck: channels within a block, as a share of its width.
        latent_channels: of each decoder block.
        mixtures: logistic distributions of a pixel.
        channels: of the image.
        patch: px, side of the squares of pixels that the blocks see as one; 1 as published.
        pyramid: whether linear maps lead from the image to the first latents of each resolution,
            and back to pixels, beside the network: each resolution takes squares of what the
            coarser ones left (Burt & Adelson 1983). They start as the coarsest waves, from which
            on the network learns what they lack; published networks have none.
    """

    encoder: str
    decoder: str
    width: int
    widths: tuple[tuple[int, int], ...] = ()
    bottleneck: float = 0.25
    latent_channels: int = 16
    mixtures: int = 10
    channels: int = 3
    patch: int = 1
    pyramid: bool = False

    @property
    def encoder_blocks(self) -> tuple[tuple[int, int], ...]:
        """(resolution, by how much it is then reduced) of each block."""
        return _blocks(self.encoder, "d")

    @property
    def decoder_blocks(self) -> tuple[tuple[int, int], ...]:
        """(resolution, resolution that is enlarged to it or 0) of each block."""
        return _blocks(self.decoder, "m")

    @property
    def image_size(self) -> int:
        """px, the side of the images."""
        return self.resolution * self.patch

    @property
    def resolution(self) -> int:
        """The highest, with which the encoder begins and the decoder ends."""
        return self.encoder_blocks[0][0]

    @property
    def levels(self) -> dict[int, int]:
        """Block of the decoder with a level of the pyramid -> its resolution."""
        heights = [resolution for resolution, _ in self.decoder_blocks]
        return {heights.index(r): r for r in sorted(set(heights))} if self.pyramid else {}

    def width_at(self, resolution: int) -> int:
        """Channels at a resolution."""
        return dict(self.widths).get(resolution, self.width)

    def latent_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """(height, width, channels) of each decoder block's latents."""
        return tuple((r, r, self.latent_channels) for r, _ in self.decoder_blocks)

    def pixel_parameters(self) -> int:
        """Channels out: logits, then means, log-scales and coefficients of each colour."""
        return self.mixtures * (1 + 3 * self.channels)


@functools.lru_cache(maxsize=32)
def _blocks(text: str, step: str) -> tuple[tuple[int, int], ...]:
    """Reads "64x11,64d2" (step "d") or "1x2,4m1" (step "m").

    Raises:
        InputError: a part is neither.
    """
    blocks: list[tuple[int, int]] = []
    for part in text.split(","):
        found = re.fullmatch(rf"(\d+)(?:(x|{step})(\d+))?", part.strip())
        if found is None:
            raise InputError(
                f"{part!r} in {text!r} names no blocks: expected such as 64x11 or 64{step}2."
            )
        resolution, kind, number = int(found[1]), found[2], int(found[3] or 1)
        blocks += [(resolution, number)] if kind == step else [(resolution, 0)] * number
    return tuple(blocks)


class Block(nn.Module):
    """Four convolutions with a GELU before each, through a bottleneck, without normalisation.

    Attributes:
        features: channels out.
        middle: channels of the bottleneck.
        size: side of the two middle kernels.
        residual: whether the input is added.
        last_init: distribution of the last kernel.
    """

    features: int
    middle: int
    size: int
    residual: bool = False
    last_init: Any = _UNIFORM
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h, w, features)."""
        y = x_BHWC
        for name, features, size, init in (
            ("c1", self.middle, 1, _UNIFORM),
            ("c2", self.middle, self.size, _UNIFORM),
            ("c3", self.middle, self.size, _UNIFORM),
            ("c4", self.features, 1, self.last_init),
        ):
            y = nn.gelu(y, approximate=False)
            y = Conv(
                features, size, padding=size // 2, kernel_init=init, dtype=self.dtype, name=name
            )(y)
        return x_BHWC + y if self.residual else y


class DecoderBlock(nn.Module):
    """One group of latents: its prior, its posterior, and what the image becomes with it.

    Attributes:
        config: of the whole.
        resolution: px, of this block.
    """

    config: VDVAEConfig
    resolution: int
    dtype: Any = None

    def setup(self) -> None:
        """The block's four parts, named as published."""
        config = self.config
        width, z = config.width_at(self.resolution), config.latent_channels
        share = _scaled(1 / len(config.decoder_blocks))
        make = functools.partial(
            Block,
            middle=int(width * config.bottleneck),
            size=3 if self.resolution > 2 else 1,
            dtype=self.dtype,
        )
        self.enc = make(2 * z)
        self.prior = make(2 * z + width, last_init=nn.initializers.zeros)
        self.z_proj = Conv(width, 1, kernel_init=share, dtype=self.dtype)
        self.resnet = make(width, residual=True, last_init=share)

    def posterior(self, x_BHWC: jax.Array, activations_BHWC: jax.Array) -> Gaussian:
        """Distribution of the latents, given the image's activations at this resolution."""
        both = jnp.concatenate([x_BHWC, activations_BHWC], axis=-1)
        mean, log_sigma = jnp.split(self.enc(both), 2, axis=-1)
        return mean, log_sigma

    def from_above(self, x_BHWC: jax.Array) -> tuple[Gaussian, jax.Array]:
        """Distribution of the latents without the image, and the features that come with it."""
        z = self.config.latent_channels
        mean, log_sigma, features = jnp.split(self.prior(x_BHWC), [z, 2 * z], axis=-1)
        return (mean, log_sigma), features

    def absorb(self, x_BHWC: jax.Array, features: jax.Array, latents: jax.Array) -> jax.Array:
        """What goes on to the next block."""
        return self.resnet(x_BHWC + features + self.z_proj(latents))


class VDVAE(nn.Module):
    """Encoder and decoder; inputs, latents and outputs in the scale of the publication.

    Attributes:
        config: sizes.
        dtype: of the arithmetic; parameters are float32.

    References:
        Child (2021), "Very deep VAEs generalize autoregressive models and can outperform them on
        images", ICLR.
    """

    config: VDVAEConfig
    dtype: Any = None

    def setup(self) -> None:
        """Blocks and the images with which each resolution begins."""
        config = self.config
        share = _scaled(1 / len(config.encoder_blocks))
        first = config.width_at(config.resolution)
        self.in_conv = Conv(first, 3, padding=1, kernel_init=_UNIFORM, dtype=self.dtype)
        self.enc_blocks = [
            Block(
                (width := config.width_at(resolution)),
                middle=int(width * config.bottleneck),
                size=3 if resolution > 2 else 1,
                residual=True,
                last_init=share,
                dtype=self.dtype,
            )
            for resolution, _ in config.encoder_blocks
        ]
        self.dec_blocks = [
            DecoderBlock(config, resolution, self.dtype) for resolution, _ in config.decoder_blocks
        ]
        zeros, resolutions = nn.initializers.zeros, dict(config.decoder_blocks)
        self.starts = {
            str(r): self.param(f"start_{r}", zeros, (r, r, config.width_at(r))) for r in resolutions
        }
        self.gain = self.param("gain", nn.initializers.ones, (first,))
        self.bias = self.param("bias", zeros, (first,))
        out = config.patch**2 * config.pixel_parameters()
        last = nn.initializers.zeros if config.pyramid else _UNIFORM
        self.out_conv = Conv(out, 1, kernel_init=last, dtype=self.dtype)
        level = functools.partial(
            Level, config.image_size, config.patch, config.latent_channels, config.channels
        )
        self.pyramid = {str(r): level(self.dtype) for r in config.levels.values()}

    def activations(self, x_BHWC: jax.Array) -> dict[int, jax.Array]:
        """Normalised images (n, size, size, channels) -> the last activations of each size."""
        x = self.in_conv(gather_squares(x_BHWC, self.config.patch))
        found = {x.shape[1]: x}
        for block, (_, reduction) in zip(self.enc_blocks, self.config.encoder_blocks, strict=True):
            x = block(x)
            if reduction:
                x = nn.avg_pool(x, (reduction, reduction), (reduction, reduction))
            more = self.config.width_at(x.shape[1]) - x.shape[-1]
            x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, more)))
            found[x.shape[1]] = x
        return found

    def __call__(
        self, x_BHWC: jax.Array, noise: tuple[jax.Array, ...]
    ) -> tuple[jax.Array, list[tuple[Gaussian, Gaussian]], list[jax.Array]]:
        """Latents are drawn from the posterior.

        Args:
            x_BHWC: normalised images (n, size, size, channels).
            noise: of each decoder block, (n, h, w, z) standard normal; zeros: posterior means.

        Returns:
            Parameters of the pixels' distribution (n, size, size, `pixel_parameters`); posterior
            and prior of each block; latents of each block.
        """
        activations = self.activations(x_BHWC)
        pairs, latents, means = [], [], jnp.zeros(())
        images = self._starts(len(x_BHWC))
        for i, block in enumerate(self.dec_blocks):
            x = self._begin(images, i)
            posterior = block.posterior(x, activations[x.shape[1]])
            level = self._level(i)
            if level is not None:
                left = level.latents(x_BHWC - means, x.shape[1])
                posterior = posterior[0] + left, posterior[1] - QUIET
            prior, features = block.from_above(x)
            pairs.append((posterior, prior))
            latents.append(posterior[0] + jnp.exp(posterior[1]) * noise[i])
            images[x.shape[1]] = block.absorb(x, features, latents[-1])
            if level is not None:
                means = means + level.image(latents[-1])
        return self._pixels(images, means), pairs, latents

    def decode(
        self, latents: tuple[jax.Array, ...], noise: tuple[jax.Array, ...], temperature: Any = 1.0
    ) -> jax.Array:
        """Latents given for the first blocks, drawn from the prior for the others.

        Args:
            latents: of the first blocks, (n, h, w, z) each; any number of them.
            noise: of the other blocks, (n, h, w, z) each.
            temperature: factor of the prior's standard deviations.

        Returns:
            Parameters of the pixels' distribution (n, size, size, `pixel_parameters`).
        """
        given, means = (*latents, *noise), jnp.zeros(())
        images = self._starts(len(given[0]))
        for i, block in enumerate(self.dec_blocks):
            x = self._begin(images, i)
            (mean, log_sigma), features = block.from_above(x)
            drawn = i >= len(latents)
            z = mean + temperature * jnp.exp(log_sigma) * given[i] if drawn else given[i]
            images[x.shape[1]] = block.absorb(x, features, z)
            level = self._level(i)
            if level is not None:
                means = means + level.image(z)
        return self._pixels(images, means)

    def _starts(self, n: int) -> dict[int, jax.Array]:
        return {
            int(r): jnp.broadcast_to(start, (n, *start.shape)) for r, start in self.starts.items()
        }

    def _begin(self, images: dict[int, jax.Array], number: int) -> jax.Array:
        """What enters a decoder block: its resolution so far, and a lower one where it says so."""
        resolution, lower = self.config.decoder_blocks[number]
        x = images[resolution]
        if not lower:
            return x
        times = resolution // lower
        below = images[lower][..., : x.shape[-1]]
        return x + below.repeat(times, axis=1).repeat(times, axis=2)

    def _level(self, number: int) -> Level | None:
        """That of the pyramid, if a block has one."""
        resolution = self.config.levels.get(number)
        return None if resolution is None else self.pyramid[str(resolution)]

    def _pixels(self, images: dict[int, jax.Array], means: jax.Array) -> jax.Array:
        config = self.config
        x = self.out_conv(images[config.resolution] * self.gain + self.bias)
        x = spread_squares(x, config.patch)
        if not config.pyramid:
            return x
        # Channels are logits, then means, log-scales and coefficients of each colour.
        each = jnp.repeat(PIXEL_UNITS * means[..., None], config.mixtures, axis=-1)
        added = jnp.pad(each, (*[(0, 0)] * 4, (0, 2 * config.mixtures)))
        added = added.reshape(*means.shape[:-1], -1)
        return x + jnp.pad(added, (*[(0, 0)] * 3, (config.mixtures, 0)))


# Released weights of 64 px ImageNet, 125,005,860 parameters.
IMAGENET64 = VDVAEConfig(
    encoder="64x11,64d2,32x20,32d2,16x9,16d2,8x8,8d2,4x7,4d4,1x5",
    decoder="1x2,4m1,4x3,8m4,8x7,16m8,16x15,32m16,32x31,64m32,64x12",
    width=512,
)
