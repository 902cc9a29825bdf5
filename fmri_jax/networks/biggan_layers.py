"""Layers that BigGAN's generators and discriminators are built of."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks.conv import dispatch
from fmri_jax.networks.modules import Conv, Dense

# Brock et al. (2019) start from orthogonal kernels (`spectral_norm.orthogonal`); as part of a
# compiled program, they would take longer than everything else.
NORMAL = nn.initializers.lecun_normal()
ZEROS = nn.initializers.zeros
ONES = nn.initializers.ones
MOMENTUM = 0.1  # of the running statistics, as published


class BatchNorm(nn.Module):
    """Batch normalisation without scale and offset of its own.

    Collection `batch_stats` holds `mean` and `variance`: those of evaluation, and in training the
    running averages of the batches' own (with the unbiased variance, as PyTorch keeps it).

    Attributes:
        epsilon: added to the variance.
        dtype: of the result; statistics are float32.
    """

    epsilon: float = 1e-5
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array, train: bool = False) -> jax.Array:
        """Images (n, h, w, c) of zero mean and unit variance over all but channels."""
        channels = x_BHWC.shape[-1]
        mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,))
        variance = self.variable("batch_stats", "variance", jnp.ones, (channels,))
        x = x_BHWC.astype(jnp.float32)
        if not train:
            y = (x - mean.value) * jax.lax.rsqrt(variance.value + self.epsilon)
            return y.astype(self.dtype or x_BHWC.dtype)
        own_mean = x.mean(axis=(0, 1, 2))
        own_variance = ((x - own_mean) ** 2).mean(axis=(0, 1, 2))
        if not self.is_initializing() and self.is_mutable_collection("batch_stats"):
            count = x.size // channels
            unbiased = own_variance * (count / max(count - 1, 1))
            mean.value += MOMENTUM * (own_mean - mean.value)
            variance.value += MOMENTUM * (unbiased - variance.value)
        y = (x - own_mean) * jax.lax.rsqrt(own_variance + self.epsilon)
        return y.astype(self.dtype or x_BHWC.dtype)


class ConditionalNorm(nn.Module):
    """Batch normalisation whose scale and offset are linear in a condition.

    Attributes:
        epsilon: added to the variance.
        dtype: of the arithmetic.
    """

    epsilon: float = 1e-5
    dtype: Any = None

    @nn.compact
    def __call__(
        self, x_BHWC: jax.Array, condition_BF: jax.Array, train: bool = False
    ) -> jax.Array:
        """Images (n, h, w, c) and a condition (n, any) for each -> (n, h, w, c)."""
        channels = x_BHWC.shape[-1]
        gain, bias = (
            Dense(channels, False, self.dtype, NORMAL, name=name)(condition_BF)[:, None, None]
            for name in ("gain", "bias")
        )
        y = BatchNorm(self.epsilon, self.dtype, name="norm")(x_BHWC, train)
        return y * (1 + gain) + bias


class ScaledNorm(nn.Module):
    """Batch normalisation with a scale and an offset per channel.

    Attributes:
        epsilon: added to the variance.
        dtype: of the arithmetic.
    """

    epsilon: float = 1e-5
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array, train: bool = False) -> jax.Array:
        """Images (n, h, w, c) -> (n, h, w, c)."""
        shape = (x_BHWC.shape[-1],)
        scale, bias = self.param("scale", ONES, shape), self.param("bias", ZEROS, shape)
        y = BatchNorm(self.epsilon, self.dtype, name="norm")(x_BHWC, train)
        y, scale, bias = nn.dtypes.promote_dtype(y, scale, bias, dtype=self.dtype)
        return y * scale + bias


class Resampled(nn.Module):
    """A 3 x 3 convolution after doubling (nearest neighbour) or before halving (2 x 2 means).

    Both are convolutions by stride 2 with a 4 x 4 kernel, the given one blurred by 2 x 2 ones: 16
    products for each pixel of the smaller image instead of 36.

    Attributes:
        features: channels out.
        double: whether the image is doubled, or else halved.
        dtype: of the arithmetic; parameters are float32.
    """

    features: int
    double: bool
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, 2 h, 2 w, features), or (n, h / 2, w / 2, features)."""
        kernel = self.param("kernel", NORMAL, (3, 3, x_BHWC.shape[-1], self.features))
        bias = self.param("bias", ZEROS, (self.features,))
        x, kernel, bias = nn.dtypes.promote_dtype(x_BHWC, kernel, bias, dtype=self.dtype)
        wide = _blurred(kernel)
        if self.double:
            # A transposed convolution takes its kernel from the other end.
            return dispatch.conv_transpose(x, wide, stride=2, padding=1) + bias
        return dispatch.conv(x, wide / 4, stride=2, padding=1) + bias


def _blurred(kernel_KKCO: jax.Array) -> jax.Array:
    """(3, 3, in, out) -> (4, 4, in, out), the sum of its four shifts by 0 or 1."""
    for axis in (0, 1):
        pads = [(0, 0)] * 4
        pads[axis] = (0, 1)
        first = jnp.pad(kernel_KKCO, pads)
        pads[axis] = (1, 0)
        kernel_KKCO = first + jnp.pad(kernel_KKCO, pads)
    return kernel_KKCO


class Attention(nn.Module):
    """Self-attention over positions (Zhang et al. 2019), with keys and values at half the side.

    Attributes:
        dtype: of the arithmetic; parameters are float32.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, c) of even sides -> (n, h, w, c)."""
        n, height, width, channels = x_BHWC.shape

        def mapped(name: str, features: int, given: jax.Array) -> jax.Array:
            return Dense(features, False, self.dtype, NORMAL, name=name)(given)

        def pooled(y: jax.Array) -> jax.Array:
            blocks = y.reshape(n, height // 2, 2, width // 2, 2, y.shape[-1])
            return blocks.max(axis=(2, 4)).reshape(n, height * width // 4, y.shape[-1])

        theta = mapped("theta", channels // 8, x_BHWC).reshape(n, height * width, -1)
        phi = pooled(mapped("phi", channels // 8, x_BHWC))
        g = pooled(mapped("g", channels // 2, x_BHWC))
        weights = nn.softmax(jnp.einsum("nqc,nkc->nqk", theta, phi).astype(jnp.float32))
        found = jnp.einsum("nqk,nkc->nqc", weights.astype(g.dtype), g)
        out = mapped("o", channels, found.reshape(n, height, width, -1))
        gamma = self.param("gamma", ZEROS, (1,))
        return x_BHWC + gamma.astype(out.dtype) * out


def conv3(features: int, dtype: Any, name: str) -> Conv:
    """A 3 x 3 convolution that keeps the size."""
    return Conv(features, 3, padding=1, dtype=dtype, kernel_init=NORMAL, name=name)
