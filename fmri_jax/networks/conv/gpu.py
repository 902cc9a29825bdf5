"""Convolutions in the form that suits cuDNN, the library that XLA calls on NVIDIA's GPUs.

cuDNN runs most convolutions of the GAN, with both gradients, at about 440 TFLOP/s (H200, bfloat16,
227 px, batch 64). This file works around three exceptions. Milliseconds in brackets are of a
training step there. TPUs take the same form; nothing was measured on them.

1. A **transposed convolution** is the input gradient of a convolution, and its own gradients are
   that convolution and its kernel gradient. JAX, left to differentiate `lax.conv_transpose`, writes
   the kernel gradient as a convolution with zeros between the pixels and a kernel as large as the
   gradient (13.4 -> 6.7).
2. **Three channels** fill an eighth of what the matrix units take at once. A strided convolution
   of an image is one of stride 1 over blocks of its pixels, whose pixels are channels (6.5 -> 5.5);
   a doubling to an image is a convolution to the 2 x 2 pixels that each pixel becomes (-0.4).
3. **32 or 48 channels**, as the first layers and those blocks have, run at half of that speed. Two
   pixels side by side are one of twice the channels (4.94 -> 4.49).

Shape suffixes: B batch, H W image, h w output or input of a doubling, C channels in, O channels
out, K kernel size, Q kernel size in pairs, S channels of a block or a pair.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.networks.conv import reference
from fmri_jax.networks.conv.cpu import kernel_to_blocks

FEW = 4  # channels of an image, at most
ENOUGH = 64  # channels in that need no pairing


def conv(x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int) -> jax.Array:
    """As `dispatch.conv`."""
    channels = x_BHWC.shape[-1]
    if stride > 1 and channels <= FEW:
        return _conv_in_blocks(x_BHWC, kernel_KKCO, stride, padding)
    if stride == 1 and channels < ENOUGH:
        return _conv_of_pairs(x_BHWC, kernel_KKCO, padding)
    return reference.conv(x_BHWC, kernel_KKCO, stride, padding)


def conv_transpose(
    x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int
) -> jax.Array:
    """As `dispatch.conv_transpose`."""
    size, _, _, features = kernel_KKCO.shape
    if (size, stride, padding) == (4, 2, 1) and features <= FEW:
        return _double_in_blocks(x_BHWC, kernel_KKCO)
    # The kernel of the convolution whose input gradient this is.
    kernel_KKOC = jnp.swapaxes(kernel_KKCO[::-1, ::-1], 2, 3)
    return _input_gradient(x_BHWC, kernel_KKOC, stride, padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _input_gradient(
    g_BhwO: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int
) -> jax.Array:
    """The input gradient of `reference.conv`, used forwards: the roles of its two passes swap."""
    size, _, channels, _ = kernel_KKCO.shape
    height, width = ((n - 1) * stride + size - 2 * padding for n in g_BhwO.shape[1:3])
    x = jax.ShapeDtypeStruct((len(g_BhwO), height, width, channels), g_BhwO.dtype)
    transpose = jax.linear_transpose(lambda x: reference.conv(x, kernel_KKCO, stride, padding), x)
    return transpose(g_BhwO)[0]


def _input_gradient_backward(
    stride: int, padding: int, saved: tuple[jax.Array, jax.Array], x_BHWC: jax.Array
) -> tuple[jax.Array, jax.Array]:
    g_BhwO, kernel = saved
    shape = jax.ShapeDtypeStruct(kernel.shape, kernel.dtype)
    transpose = jax.linear_transpose(lambda k: reference.conv(x_BHWC, k, stride, padding), shape)
    return reference.conv(x_BHWC, kernel, stride, padding), transpose(g_BhwO)[0]


_input_gradient.defvjp(
    lambda g, kernel, *static: (_input_gradient(g, kernel, *static), (g, kernel)),
    _input_gradient_backward,
)


def _conv_in_blocks(
    x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int
) -> jax.Array:
    """A strided convolution over blocks of stride x stride pixels, of which none is skipped."""
    size = len(kernel_KKCO)
    (rows, bottom), (columns, right) = (
        _blocks_along(pixels, size, stride, padding) for pixels in x_BHWC.shape[1:3]
    )
    zero = jnp.zeros((), x_BHWC.dtype)
    edges = ((0, 0, 0), (padding, bottom, 0), (padding, right, 0), (0, 0, 0))
    x = lax.pad(x_BHWC, zero, edges)
    x = x.reshape(len(x), rows, stride, columns, stride, -1).transpose(0, 1, 3, 2, 4, 5)
    x_BhwS = x.reshape(len(x), rows, columns, -1)
    return conv(x_BhwS, kernel_to_blocks(kernel_KKCO, stride), 1, 0)


def _blocks_along(pixels: int, size: int, stride: int, padding: int) -> tuple[int, int]:
    """Blocks along an axis, and the zeros after its last pixel (pixels cut off if negative)."""
    n_outputs = (pixels + 2 * padding - size) // stride + 1
    n_blocks = n_outputs - 1 + -(-size // stride)
    return n_blocks, n_blocks * stride - pixels - padding


def _conv_of_pairs(x_BHWC: jax.Array, kernel_KKCO: jax.Array, padding: int) -> jax.Array:
    """A convolution of stride 1 from pairs of pixels to pairs of pixels, side by side.

    A pair is one pixel of twice the channels, and lies in memory as it did. The kernel is one pixel
    wider, and has a zero there: at its end for the left pixel of a pair, before it for the right.
    """
    size, _, channels, features = kernel_KKCO.shape
    batch, height, width, _ = x_BHWC.shape
    n_taps, n_outputs = size // 2 + 1, width + 2 * padding - size + 1
    right = 2 * (-(-n_outputs // 2) - 1 + n_taps) - padding - width
    # Zeros written out: given to the convolution as its padding, they made a step 2 ms longer.
    edges = ((0, 0, 0), (padding, padding, 0), (padding, right, 0), (0, 0, 0))
    x = lax.pad(x_BHWC, jnp.zeros((), x_BHWC.dtype), edges)
    x_BHwS = x.reshape(*x.shape[:2], x.shape[2] // 2, 2 * channels)
    kernels = [
        jnp.pad(kernel_KKCO, ((0, 0), (before, 2 * n_taps - size - before), (0, 0), (0, 0)))
        for before in (0, 1)
    ]
    kernel_KQSO = jnp.concatenate(kernels, axis=-1).reshape(size, n_taps, 2 * channels, -1)
    # Behind a barrier, as XLA would move the layer's bias in front of the reshape, and to that end
    # write it out for every pixel (-0.1).
    y = lax.optimization_barrier(reference.conv(x_BHwS, kernel_KQSO, 1, 0))
    return y.reshape(batch, y.shape[1], 2 * y.shape[2], features)[:, :, :n_outputs]


def _double_in_blocks(x_BhwC: jax.Array, kernel_KKCO: jax.Array) -> jax.Array:
    """A doubling (kernel 4, stride 2, padding 1) as a 3 x 3 convolution to 2 x 2 pixels.

    Of the four taps along an axis the even pixels of the result take the first and the third, from
    their own input pixel and the one before; the odd ones the others, from their own and the next.
    Channels are filled up to four: cuDNN copies images whose channels are no multiple of eight.
    """
    channels, features = kernel_KKCO.shape[2:]
    taps = jnp.pad(kernel_KKCO, ((1, 1), (1, 1), (0, 0), (0, FEW - features)))
    taps = taps.reshape(3, 2, 3, 2, channels, FEW)[:, ::-1, :, ::-1]
    kernel_33CS = taps.transpose(0, 2, 4, 1, 3, 5).reshape(3, 3, channels, 4 * FEW)
    y = conv(x_BhwC, kernel_33CS, 1, 1)
    batch, height, width, _ = y.shape
    y = y.reshape(batch, height, width, 2, 2, FEW)[..., :features].transpose(0, 1, 3, 2, 4, 5)
    return y.reshape(batch, 2 * height, 2 * width, features)
