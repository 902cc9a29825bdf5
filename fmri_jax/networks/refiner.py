"""A network that refines an image: layout and colours stay, detail is added."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks.modules import Conv

CHANNELS = (32, 64, 128)  # of the levels, each of half the side of the one before
SLOPE = 0.2  # of LeakyReLU below zero


class Refiner(nn.Module):
    """A U-Net that returns its input plus a correction, which is zero before training.

    The image is halved three times and doubled again, by nearest neighbours and a convolution:
    transposed convolutions leave checkerboards (Odena et al. 2016, Distill). Every layer is a
    convolution, so that a place of the image is refined alike wherever it lies and few images
    teach it.

    Attributes:
        width: multiplies the channels.
        dtype: of the arithmetic; parameters are float32.

    References:
        Ronneberger, Fischer & Brox (2015), MICCAI (the U-Net).
    """

    width: float = 1.0
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """Images (n, h, w, c), in units about 1, -> (n, h, w, c), linear, not clipped."""
        height, width = x_BHWC.shape[1:3]
        unit = 2 ** len(CHANNELS)
        margins = [(0, math.ceil(side / unit) * unit - side) for side in (height, width)]
        image = jnp.pad(x_BHWC, ((0, 0), *margins, (0, 0)), mode="edge")
        levels = [max(1, round(channels * self.width)) for channels in CHANNELS]
        x, skipped = image, []
        for number, channels in enumerate(levels):
            skipped.append(x)
            x = self._conv(x, channels, f"down{number}", size=4, stride=2)
            if number:
                x = self._conv(x, channels, f"keep{number}")
        for number in range(len(levels) - 1, 0, -1):
            x = jnp.concatenate([_doubled(x), skipped[number]], axis=-1)
            x = self._conv(x, levels[number - 1], f"up{number}")
        x = self._conv(_doubled(x), max(1, levels[0] // 2), "up0")
        x = jnp.concatenate([x, image.astype(x.dtype)], axis=-1)
        last = Conv(
            x_BHWC.shape[-1], 3, 1, 1, self.dtype, kernel_init=nn.initializers.zeros, name="last"
        )
        refined = image + last(x).astype(image.dtype)
        return refined[:, :height, :width]

    def _conv(
        self, x: jax.Array, channels: int, name: str, size: int = 3, stride: int = 1
    ) -> jax.Array:
        return nn.leaky_relu(Conv(channels, size, stride, 1, self.dtype, name=name)(x), SLOPE)


def _doubled(x_BHWC: jax.Array) -> jax.Array:
    return jnp.repeat(jnp.repeat(x_BHWC, 2, axis=1), 2, axis=2)
