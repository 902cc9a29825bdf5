"""VGG16, a deeper comparator: configuration D of Simonyan & Zisserman (2015), convolutions only."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks.alexnet import DEVIATION, MEAN
from fmri_jax.networks.conv.dispatch import max_pool
from fmri_jax.networks.modules import Conv

# Channels of the 3 x 3 convolutions of each block; a 2 x 2 max-pool ends every block.
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG16(nn.Module):
    """Activations of VGG16 by name, as far as the image size lets them exist.

    At 224 px: relu1_2 224, pool1 112, relu2_2 112, pool2 56, relu3_3 56, pool3 28, relu4_3 28,
    pool4 14, relu5_3 14, pool5 7.

    Attributes:
        dtype: of the arithmetic; parameters are float32.

    References:
        Simonyan & Zisserman (2015), "Very deep convolutional networks for large-scale image
        recognition", arXiv:1409.1556.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> dict[str, jax.Array]:
        """RGB images (n, h, w, 3) in [0, 1] -> {'relu1_1', 'relu1_2', 'pool1', ..., 'pool5'}.

        Raises:
            InputError: the images are not RGB.
        """
        _, height, width, channels = x_BHWC.shape
        if channels != 3:
            raise InputError(
                f"VGG16 was given images of {height} x {width} pixels and {channels} channels: "
                "expected RGB images."
            )
        x = (x_BHWC - jnp.asarray(MEAN)) / jnp.asarray(DEVIATION)
        activations = {}
        for block, widths in enumerate(BLOCKS, start=1):
            for i, features in enumerate(widths, start=1):
                conv = Conv(features, 3, 1, 1, self.dtype, name=f"conv{block}_{i}")
                x = activations[f"relu{block}_{i}"] = nn.relu(conv(x))
            if min(x.shape[1:3]) < 2:
                break
            x = activations[f"pool{block}"] = max_pool(x, size=2, stride=2)
        return activations
