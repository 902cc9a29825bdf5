"""VGG16 and VGG19: configurations D and E of Simonyan & Zisserman (2015)."""

from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks.alexnet import DEVIATION, MEAN
from fmri_jax.networks.conv.dispatch import max_pool
from fmri_jax.networks.dense import fully_connected
from fmri_jax.networks.modules import Conv

CHANNELS = (64, 128, 256, 512, 512)  # of the blocks' 3 x 3 convolutions
# Mean of ImageNet's pixels in 0..255, blue, green, red, as its authors' Caffe models expect.
MEAN_BGR = (103.939, 116.779, 123.68)


class VGG16(nn.Module):
    """Activations of VGG16 by name, as far as the image size lets them exist.

    `conv1_1` is before the ReLU, `relu1_1` after it. At 224 px: relu1_2 224, pool1 112, relu2_2
    112, pool2 56, relu3_3 56, pool3 28, relu4_3 28, pool4 14, relu5_3 14, pool5 7.

    Attributes:
        dtype: of the arithmetic; parameters are float32.
        dense: units of fc6, fc7 and fc8, as `dense.UNITS`; none leaves these layers out.
        grid: rows and columns of pool5 that fc6 takes, those of 224 px.

    References:
        Simonyan & Zisserman (2015), "Very deep convolutional networks for large-scale image
        recognition", arXiv:1409.1556.
    """

    dtype: Any = None
    dense: tuple[int, ...] = ()
    grid: int = 7

    convolutions: ClassVar[tuple[int, ...]] = (2, 2, 3, 3, 3)  # per block

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> dict[str, jax.Array]:
        """RGB images (n, h, w, 3) in [0, 1] -> {'conv1_1', 'relu1_1', ..., 'pool1', ..., 'pool5'}.

        Raises:
            InputError: the images are not RGB.
        """
        _, height, width, channels = x_BHWC.shape
        if channels != 3:
            raise InputError(
                f"{type(self).__name__} was given images of {height} x {width} pixels and "
                f"{channels} channels: expected RGB images."
            )
        x = self.preprocessed(x_BHWC)
        activations: dict[str, jax.Array] = {}
        for block, count in enumerate(self.convolutions, start=1):
            for i in range(1, count + 1):
                name = f"{block}_{i}"
                conv = Conv(CHANNELS[block - 1], 3, 1, 1, self.dtype, name=f"conv{name}")
                x = activations[f"conv{name}"] = conv(x)
                x = activations[f"relu{name}"] = nn.relu(x)
            if min(x.shape[1:3]) < 2:
                return activations
            x = activations[f"pool{block}"] = max_pool(x, size=2, stride=2)
        return activations | fully_connected(x, self.dense, self.grid, self.dtype)

    def preprocessed(self, x_BHWC: jax.Array) -> jax.Array:
        """RGB in [0, 1] in units of ImageNet's mean and deviation, as torchvision has them."""
        return (x_BHWC - jnp.asarray(MEAN)) / jnp.asarray(DEVIATION)


class VGG19(VGG16):
    """Activations of VGG19 with its authors' weights for Caffe (VGG_ILSVRC_19_layers), by name.

    As VGG16, with a fourth convolution in the last three blocks. Deep image reconstruction decodes
    the 19 layers conv1_1 to conv5_4 and fc6 to fc8, all before the ReLU: 14,861,288 units at 224
    px. torchvision's VGG19 is another network: trained anew, and on other units of the pixels.

    References:
        Simonyan & Zisserman (2015), arXiv:1409.1556. Shen, Horikawa, Majima & Kamitani (2019),
        "Deep image reconstruction from human brain activity", PLoS Comput. Biol. 15:e1006633.
    """

    convolutions: ClassVar[tuple[int, ...]] = (2, 2, 4, 4, 4)

    def preprocessed(self, x_BHWC: jax.Array) -> jax.Array:
        """RGB in [0, 1] as blue, green, red in 0..255 without ImageNet's mean."""
        return 255 * x_BHWC[..., ::-1] - jnp.asarray(MEAN_BGR)
