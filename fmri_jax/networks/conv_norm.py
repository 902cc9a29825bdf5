"""What the feature networks have in common: a convolution with its normalisation, and pooling."""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.networks.alexnet import DEVIATION, MEAN
from fmri_jax.networks.conv import depthwise

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def normalised(x_BHWC: jax.Array) -> jax.Array:
    """RGB in [0, 1] in units of ImageNet's mean and standard deviation."""
    return (x_BHWC - jnp.asarray(MEAN)) / jnp.asarray(DEVIATION)


class ConvNorm(nn.Module):
    """Convolution without bias, then batch normalisation by fixed statistics.

    Parameters: `kernel` (h, w, in / groups, out), and `scale`, `bias`, `mean`, `variance` (out,).

    Attributes:
        features: channels out.
        size: height and width of the kernel.
        stride: step in pixels.
        padding: zeros above and below, left and right; "SAME" as TensorFlow has it, with the odd
            one below and on the right.
        groups: parts of the channels that do not see each other.
        epsilon: added to the variance.
    """

    features: int
    size: tuple[int, int]
    stride: int = 1
    padding: tuple[int, int] | Literal["SAME"] = (0, 0)
    groups: int = 1
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h', w', out)."""
        shape = (*self.size, x_BHWC.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        scale = self.param("scale", nn.initializers.ones, (self.features,))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        mean = self.param("mean", nn.initializers.zeros, (self.features,))
        variance = self.param("variance", nn.initializers.ones, (self.features,))
        y = self._convolved(x_BHWC, kernel)
        return (y - mean) * (scale * lax.rsqrt(variance + self.epsilon)) + bias

    def _convolved(self, x_BHWC: jax.Array, kernel: jax.Array) -> jax.Array:
        strides = (self.stride, self.stride)
        if self.padding == "SAME":
            pads = lax.padtype_to_pads(x_BHWC.shape[1:3], self.size, strides, "SAME")
        else:
            pads = [(side, side) for side in self.padding]
        if 1 < self.groups == x_BHWC.shape[-1] == self.features and jax.default_backend() == "cpu":
            return depthwise.convolve(x_BHWC, kernel, self.stride, pads)
        return lax.conv_general_dilated(
            x_BHWC,
            kernel,
            strides,
            pads,
            dimension_numbers=DIMENSIONS,
            feature_group_count=self.groups,
        )


def max_pool(x_BHWC: jax.Array, padding: int = 0) -> jax.Array:
    """Maximum of 3 x 3 windows with stride 2."""
    return nn.max_pool(x_BHWC, (3, 3), (2, 2), ((padding, padding),) * 2)


def spatial_mean(x_BHWC: jax.Array) -> jax.Array:
    """(n, h, w, c) -> (n, c)."""
    return x_BHWC.mean(axis=(1, 2))
