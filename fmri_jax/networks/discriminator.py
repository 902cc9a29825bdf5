"""The discriminator: is this image a photograph? (Shen et al. 2019)"""

from typing import Any

import flax.linen as nn
import jax

from fmri_jax.errors import InputError
from fmri_jax.networks.modules import HE, Conv

# Channels, kernel, stride of each unpadded convolution: 227 -> 56, 52, 25, 23, 11 pixels.
LAYERS = ((32, 7, 4), (64, 5, 1), (128, 3, 2), (256, 3, 1), (256, 3, 2))


class Discriminator(nn.Module):
    """Five convolutions, the mean over positions, two dense layers with dropout.

    On images too small for the published strides the first stride shrinks to 2 or 1; on smaller
    ones still, the last layers that do not fit are left out.

    Attributes:
        width: multiplies the channels and units; 1 is published.
        dropout: share of units dropped before each dense layer in training.
        dtype: of the arithmetic; parameters are float32.
    """

    width: float = 1.0
    dropout: float = 0.5
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array, train: bool) -> jax.Array:
        """Images (n, h, w, c) -> logits (n, 2): generated, real. `train` turns dropout on."""
        layers = fitting_layers(min(x_BHWC.shape[1:3]))
        x = x_BHWC
        for i, (features, size, stride) in enumerate(layers, start=1):
            conv = Conv(self._scaled(features), size, stride, 0, self.dtype, name=f"conv{i}")
            x = nn.relu(conv(x))
        x_BF = x.mean(axis=(1, 2))
        for units, name in ((self._scaled(256), "fc1"), (2, "fc2")):
            x_BF = nn.Dropout(self.dropout, deterministic=not train)(x_BF)
            x_BF = nn.Dense(units, kernel_init=HE, dtype=self.dtype, name=name)(x_BF)
            x_BF = nn.relu(x_BF) if name == "fc1" else x_BF
        return x_BF

    def _scaled(self, channels: int) -> int:
        return max(1, round(channels * self.width))


def fitting_layers(image_size: int) -> tuple[tuple[int, int, int], ...]:
    """Channels, kernel and stride of the layers for images of `image_size` pixels.

    Raises:
        InputError: not even the first kernel fits.
    """
    (features, size, stride), *rest = LAYERS
    for first_stride in (stride, 2, 1):
        layers = ((features, size, first_stride), *rest)
        n_fitting = _count_fitting(layers, image_size)
        if n_fitting == len(layers):
            return layers
    if n_fitting == 0:
        raise InputError(
            f"images of {image_size} pixels are too small for the discriminator: expected at least "
            f"{size}; set config.preparation.image_size."
        )
    return layers[:n_fitting]


def _count_fitting(layers: tuple[tuple[int, int, int], ...], pixels: int) -> int:
    for number, (_, size, stride) in enumerate(layers):
        if pixels < size:
            return number
        pixels = (pixels - size) // stride + 1
    return len(layers)
