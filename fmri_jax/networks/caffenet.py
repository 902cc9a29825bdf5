"""CaffeNet, comparator of the published GAN, and Caffe's AlexNet: grouped, normalised, in BGR."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul
from fmri_jax.errors import InputError
from fmri_jax.networks.conv.dispatch import max_pool
from fmri_jax.networks.dense import fully_connected
from fmri_jax.networks.modules import Conv

# Mean of ImageNet's pixels in 0..255 in Caffe's order: blue, green, red.
MEAN_BGR = (104.0, 117.0, 123.0)

# Channels, kernel, stride, padding, groups; which layers a 3 x 3 max-pool of stride 2 follows, and
# with which of those responses are normalised.
LAYERS = (
    (96, 11, 4, 0, 1),
    (256, 5, 1, 2, 2),
    (384, 3, 1, 1, 1),
    (384, 3, 1, 1, 2),
    (256, 3, 1, 1, 2),
)
POOLED = (1, 2, 5)
NORMALISED = (1, 2)


class CaffeNet(nn.Module):
    """Activations of CaffeNet by name, as far as the image size lets them exist.

    `conv1` is before the ReLU, `relu1` after it. At 227 px: relu1 55, pool1 and norm1 27, relu2 27,
    pool2 and norm2 13, relu3, relu4, relu5 13, pool5 6. At 64 px pool5 is one pixel; at 32 px there
    is none.

    Krizhevsky et al. (2012) normalise before they pool; CaffeNet pools first.

    Attributes:
        dtype: of the arithmetic; parameters are float32.
        dense: units of fc6, fc7 and fc8, as `dense.UNITS`; none leaves these layers out.
        grid: rows and columns of pool5 that fc6 takes, those of 227 px.
        order: of pooling and normalisation.

    References:
        Krizhevsky, Sutskever & Hinton (2012), "ImageNet classification with deep convolutional
        neural networks", NeurIPS. Jia et al. (2014), "Caffe: convolutional architecture for fast
        feature embedding", arXiv:1408.5093; model bvlc_reference_caffenet.
    """

    dtype: Any = None
    dense: tuple[int, ...] = ()
    grid: int = 6
    order: tuple[str, str] = ("pool", "norm")

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> dict[str, jax.Array]:
        """RGB images (n, h, w, 3) in [0, 1] -> {'conv1', 'relu1', 'pool1', 'norm1', ...}.

        Raises:
            InputError: the images are not RGB, or too small for the first layer.
        """
        _, height, width, channels = x_BHWC.shape
        if channels != 3 or min(height, width) < 11:
            raise InputError(
                f"{type(self).__name__} was given images of {height} x {width} pixels and "
                f"{channels} channels: expected RGB images of at least 11 x 11 pixels; set "
                "config.preparation.image_size or config.method.comparator_size."
            )
        x = 255 * x_BHWC[..., ::-1] - jnp.asarray(MEAN_BGR)
        activations: dict[str, jax.Array] = {}
        for i, (features, size, stride, padding, groups) in enumerate(LAYERS, start=1):
            conv = Conv(features, size, stride, padding, self.dtype, groups, name=f"conv{i}")
            x = activations[f"conv{i}"] = conv(x)
            x = activations[f"relu{i}"] = nn.relu(x)
            for step in self.order:
                if step == "norm" and i in NORMALISED:
                    x = activations[f"norm{i}"] = local_response_norm(x)
                elif step == "pool" and i in POOLED:
                    if min(x.shape[1:3]) < 2:
                        return activations
                    x = activations[f"pool{i}"] = max_pool_rounded_up(x)
        return activations | fully_connected(x, self.dense, self.grid, self.dtype)


class BVLCAlexNet(CaffeNet):
    """AlexNet as Caffe trained it: CaffeNet, but normalised before it is pooled.

    References:
        Krizhevsky, Sutskever & Hinton (2012); model bvlc_alexnet of Caffe.
    """

    order: tuple[str, str] = ("norm", "pool")


def max_pool_rounded_up(x_BHWC: jax.Array) -> jax.Array:
    """3 x 3 max-pool of stride 2 in Caffe's sizes: the last window may reach past the edge.

    Args:
        x_BHWC: (n, height, width, channels), height and width at least 2.

    Returns:
        (n, h, w, channels) with h = ceil((height - 3) / 2) + 1, as
        `torch.nn.MaxPool2d(3, 2, ceil_mode=True)`.
    """
    # An even side leaves a last window one pixel short.
    bottom, right = ((0, 1 - side % 2) for side in x_BHWC.shape[1:3])
    padded = jnp.pad(x_BHWC, ((0, 0), bottom, right, (0, 0)), constant_values=-jnp.inf)
    return max_pool(padded, size=3, stride=2)


def local_response_norm(
    x_BHWC: jax.Array, size: int = 5, alpha: float = 1e-4, beta: float = 0.75
) -> jax.Array:
    """Each response over a power of the energy of its neighbours among the channels.

        y_c = x_c / (1 + alpha / size sum_{|d - c| <= size // 2} x_d^2)^beta

    Krizhevsky et al. (2012, section 3.3) multiply the sum by alpha itself; Caffe and
    `torch.nn.LocalResponseNorm` by alpha / size, with which these weights were trained.

    The sum over neighbours is a product with a matrix of zeros and ones, and the power an
    exponential: shifted slices and a power took XLA's CPU backend 14 times as long with the
    gradient (105 against 8 ms at 27 px, 96 channels, batch 16).

    Args:
        x_BHWC: (n, height, width, channels).
        size: channels in the neighbourhood, odd; it is cut at the first and last channel.
        alpha: weight of the mean square.
        beta: the power.

    Returns:
        The same shape.
    """
    channel = np.arange(x_BHWC.shape[-1])
    neighbours = np.abs(channel[:, None] - channel) <= size // 2
    energy = matmul(x_BHWC**2, jnp.asarray(neighbours, x_BHWC.dtype))
    return x_BHWC * jnp.exp(-beta * jnp.log1p(alpha / size * energy))
