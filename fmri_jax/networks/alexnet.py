"""AlexNet, the comparator: torchvision's layout of Krizhevsky (2014)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks.conv.dispatch import max_pool
from fmri_jax.networks.dense import fully_connected
from fmri_jax.networks.modules import Conv

# ImageNet's channel means and standard deviations, RGB in [0, 1], as torchvision's weights expect.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

# Channels, kernel, stride, padding; and which layers are followed by a 3 x 3 max-pool of stride 2.
LAYERS = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
POOLED = (1, 2, 5)


class AlexNet(nn.Module):
    """Activations of AlexNet by name, as far as the image size lets them exist.

    `conv1` is before the ReLU, `relu1` after it. At 227 px: relu1 56, pool1 27, relu2 27, pool2 13,
    relu3, relu4, relu5 13, pool5 6. At 64 px pool5 is one pixel; at 32 px there is none.

    Attributes:
        dtype: of the arithmetic; parameters are float32.
        dense: units of fc6, fc7 and fc8, as `dense.UNITS`; none leaves these layers out.
        grid: rows and columns of pool5 that fc6 takes, those of 224 px.

    References:
        Krizhevsky (2014), "One weird trick for parallelizing convolutional neural networks",
        arXiv:1404.5997.
    """

    dtype: Any = None
    dense: tuple[int, ...] = ()
    grid: int = 6

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> dict[str, jax.Array]:
        """RGB images (n, h, w, 3) in [0, 1] -> {'conv1', 'relu1', ..., 'pool5'}.

        Raises:
            InputError: the images are not RGB, or too small for the first layer.
        """
        _, height, width, channels = x_BHWC.shape
        if channels != 3 or min(height, width) < 7:
            raise InputError(
                f"AlexNet was given images of {height} x {width} pixels and {channels} channels: "
                "expected RGB images of at least 7 x 7 pixels."
            )
        x = (x_BHWC - jnp.asarray(MEAN)) / jnp.asarray(DEVIATION)
        activations: dict[str, jax.Array] = {}
        for i, (features, size, stride, padding) in enumerate(LAYERS, start=1):
            conv = Conv(features, size, stride, padding, self.dtype, name=f"conv{i}")
            x = activations[f"conv{i}"] = conv(x)
            x = activations[f"relu{i}"] = nn.relu(x)
            if i in POOLED:
                if min(x.shape[1:3]) < 3:
                    return activations
                x = activations[f"pool{i}"] = max_pool(x, size=3, stride=2)
        return activations | fully_connected(x, self.dense, self.grid, self.dtype)
