"""The two layers that every network here is made of, as Flax modules over `conv.dispatch`."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks.conv import dispatch

HE = nn.initializers.he_normal()


class Conv(nn.Module):
    """Convolution with a square kernel; parameters `kernel` (k, k, in, out) and `bias`.

    With `groups` the channels in and out fall into that many parts that do not see each other, and
    the kernel is (k, k, in / groups, out).

    Attributes:
        features: channels out.
        size: side of the kernel.
        stride: step in pixels.
        padding: zeros added on each side.
        dtype: of the arithmetic; parameters are float32.
        groups: parts of the channels.
        fixed_bias: whether gradients do not reach the bias, which stays as it is initialised or
            loaded.
        kernel_init: distribution of the first kernel.
        use_bias: whether there is a bias.
    """

    features: int
    size: int
    stride: int = 1
    padding: int = 0
    dtype: Any = None
    groups: int = 1
    fixed_bias: bool = False
    kernel_init: Any = HE
    use_bias: bool = True

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h', w', out)."""
        shape = (self.size, self.size, x_BHWC.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        zeros = nn.initializers.zeros
        bias = self.param("bias", zeros, (self.features,)) if self.use_bias else None
        bias = jax.lax.stop_gradient(bias) if self.fixed_bias else bias
        x_BHWC, kernel, bias = nn.dtypes.promote_dtype(x_BHWC, kernel, bias, dtype=self.dtype)
        parts = [
            dispatch.conv(x, k, self.stride, self.padding)
            for x, k in zip(
                jnp.split(x_BHWC, self.groups, axis=-1),
                jnp.split(kernel, self.groups, axis=-1),
                strict=True,
            )
        ]
        y = jnp.concatenate(parts, axis=-1)
        return y if bias is None else y + bias


class Dense(nn.Module):
    """`nn.Dense` as one matrix product over all other axes; parameters `kernel` and `bias`.

    Left with several axes, XLA's CPU backend takes up to twice as long for the kernel's gradient.

    Attributes:
        features: of the result.
        use_bias: whether there is a bias.
        dtype: of the arithmetic; parameters are float32.
        kernel_init: distribution of the first kernel.
    """

    features: int
    use_bias: bool = True
    dtype: Any = None
    kernel_init: Any = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(..., any) -> (..., features)."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        zeros = nn.initializers.zeros
        bias = self.param("bias", zeros, (self.features,)) if self.use_bias else None
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = x.reshape(-1, x.shape[-1]) @ kernel
        y = y if bias is None else y + bias
        return y.reshape(*x.shape[:-1], self.features)


class ConvTranspose(nn.Module):
    """Transposed convolution that doubles the image: kernel 4, stride 2, padding 1.

    Its bias is a parameter that gradients do not reach: the generator's are published as fixed.

    Attributes:
        features: channels out.
        dtype: of the arithmetic; parameters are float32.
    """

    features: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, 2 h, 2 w, out)."""
        kernel = self.param("kernel", _he_of_doubling, (4, 4, x_BHWC.shape[-1], self.features))
        bias = jax.lax.stop_gradient(self.param("bias", nn.initializers.zeros, (self.features,)))
        x_BHWC, kernel, bias = nn.dtypes.promote_dtype(x_BHWC, kernel, bias, dtype=self.dtype)
        return dispatch.conv_transpose(x_BHWC, kernel, stride=2, padding=1) + bias


def _he_of_doubling(key: jax.Array, shape: tuple[int, ...], dtype: Any = float) -> jax.Array:
    """He initialisation (He et al. 2015): each output pixel sees only 2 x 2 of the 4 x 4 taps."""
    return 2 * HE(key, shape, dtype)
