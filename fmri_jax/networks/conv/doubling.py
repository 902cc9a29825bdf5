"""Transposed convolutions whose kernel is twice their stride, with fewer products, for CPU.

Each input pixel of such a convolution (kernel 4, stride 2: a doubling) touches 2 x 2 output blocks
of stride x stride pixels. With a block's pixels as channels it is a 2 x 2 convolution of stride 1,
which `winograd` runs with 16 multiplications for 36. One layout of the kernel, channels out last,
serves all three passes.

Milliseconds of output and both gradients together, as `blocks` has them and this one (batch 32, 2
cores): generator deconv4 206 -> 129, deconv3 217 -> 174, deconv2 233 -> 217. deconv1, with 64
channels in, would take longer (246 -> 286).

Shape suffixes: B batch, H W image, h w input, C channels in, O channels out, K kernel size,
S = stride * stride * O channels of a block.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.networks.conv import winograd


def pays(x_BhwC: jax.Array, kernel_KKCO: jax.Array, stride: int) -> bool:
    """Whether this transposed convolution is one that `enlarge` can do, and is faster at."""
    size, _, channels, features = kernel_KKCO.shape
    blocks = (2, 2, channels, stride * stride * features)
    return size == 2 * stride and winograd.pays(x_BhwC, blocks, 1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def enlarge(x_BhwC: jax.Array, kernel_KKCO: jax.Array, padding: int) -> jax.Array:
    """The transposed convolution with stride K / 2; arguments as in `layers.conv_transpose`."""
    blocks_BhwS = winograd.convolve(x_BhwC, _kernel_to_blocks(kernel_KKCO), padding=1)
    return _blocks_to_image(blocks_BhwS, kernel_KKCO.shape[0] // 2, padding)


def _backward(
    padding: int, saved: tuple[jax.Array, jax.Array], g_BHWO: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x_BhwC, kernel_KKCO = saved
    g_BhwS = _image_to_blocks(g_BHWO, kernel_KKCO.shape[0] // 2, padding)
    at_x = winograd.convolve_turned(g_BhwS, _kernel_to_blocks(kernel_KKCO), padding=0)
    transpose = jax.linear_transpose(
        lambda kernel: winograd.convolve(x_BhwC, _kernel_to_blocks(kernel), padding=1), kernel_KKCO
    )
    return at_x, transpose(g_BhwS)[0]


enlarge.defvjp(lambda x, kernel, padding: (enlarge(x, kernel, padding), (x, kernel)), _backward)


def _kernel_to_blocks(kernel_KKCO: jax.Array) -> jax.Array:
    """(K, K, C, O) -> (2, 2, C, S): the taps that one block adds to each pixel of another."""
    size, _, channels, features = kernel_KKCO.shape
    stride = size // 2
    taps = kernel_KKCO.reshape(2, stride, 2, stride, channels, features)
    offsets = range(stride - 1, -1, -1)  # the first pixel of a block gets the last tap
    return jnp.concatenate([taps[:, i, :, j] for i in offsets for j in offsets], axis=-1)


def _blocks_to_image(blocks_BhwS: jax.Array, stride: int, padding: int) -> jax.Array:
    """(B, h, w, S) -> (B, stride h - 2 padding, stride w - 2 padding, O)."""
    batch, rows, columns, _ = blocks_BhwS.shape
    x = blocks_BhwS.reshape(batch, rows, columns, stride, stride, -1).transpose(0, 1, 3, 2, 4, 5)
    x = x.reshape(batch, rows * stride, columns * stride, -1)
    end = (batch, rows * stride - padding, columns * stride - padding, x.shape[-1])
    return lax.slice(x, (0, padding, padding, 0), end)


def _image_to_blocks(x_BHWO: jax.Array, stride: int, padding: int) -> jax.Array:
    """The inverse of `_blocks_to_image`, with zeros for what that one cuts off."""
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    x = jnp.pad(x_BHWO, edges)
    batch, height, width, features = x.shape
    rows, columns = height // stride, width // stride
    x = x.reshape(batch, rows, stride, columns, stride, features).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, rows, columns, -1)
