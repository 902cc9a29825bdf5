"""The three passes of a convolution, each by the route that is fast on CPU.

XLA's CPU backend runs padded convolutions and their gradients about as fast as PyTorch does. This
file works around three things that it is slow at:

1. A convolution **without padding** is handed to another library and takes three times as long
   (`_plain` pads a row too many).
2. The **kernel gradient of a transposed convolution** takes 5 to 60 times as long as that of the
   convolution whose input gradient it is. They are the same numbers, so a transposed convolution
   is written as `input_gradient`, and its own gradients are `forward` and `kernel_gradient`.
3. The **input gradient of a strided convolution** fills the gaps of the stride with zeros and
   convolves those too. A convolution of stride s is also a convolution of stride 1 over blocks of
   s x s pixels, a block's pixels becoming channels; its input gradient has no gaps.

Milliseconds in brackets: batch 32, images of 227 px, 2 shared cores, jaxlib 0.10.2, XLA's plain
operation and this one side by side; `benchmarks/layers.py` measures them again.

Shape suffixes: B batch, H W image, h w output, C channels in, O channels out, K kernel size,
Q kernel size in blocks, S = stride * stride * C channels of a block.
"""

import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.networks.conv import taps, toom_cook
from fmri_jax.networks.conv.reference import DIMENSIONS

# Blocks that the kernel fills badly (size 3 in two blocks of 2) cost more than the zeros they save.
MOST_FILLING = 1.5

# Of a batch, in an input gradient by Toom and Cook's algorithm: 16 images of 8 x 8 pixels, 512
# channels to 512, took 78 ms of processor time that way and 53 plainly; 50 of 7 x 7, 28 and 33.
FEWEST_PIXELS = 2048


def forward(x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int) -> jax.Array:
    """The convolution itself, with fewer products where that pays (see `toom_cook`)."""
    if toom_cook.pays(x_BHWC, kernel_KKCO.shape, stride):
        return toom_cook.convolve(x_BHWC, kernel_KKCO, padding)
    return _with_fast_gradient(x_BHWC, kernel_KKCO, stride, padding)


def _with_fast_gradient(
    x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int
) -> jax.Array:
    """The convolution in the forms whose kernel gradient is fast too (see `taps`)."""
    if taps.pays(x_BHWC, kernel_KKCO.shape, stride, padding):
        return taps.convolve(x_BHWC, kernel_KKCO, padding)
    return _plain(x_BHWC, kernel_KKCO, stride, padding)


def _plain(x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int) -> jax.Array:
    """XLA's convolution, with one output row too many, cut off again, if it has no padding.

    jaxlib 0.10 hands a convolution to YNNPACK exactly if it has no padding (discriminator conv4:
    284 -> 93; its kernel gradient 358 -> 197). One whose output is a single pixel is a product,
    and so is one whose kernel is.
    """
    size = kernel_KKCO.shape[0]
    if size == stride == 1 and padding == 0:
        return _pixel_by_pixel(x_BHWC, kernel_KKCO)
    if padding == 0 and all((pixels - size) // stride == 0 for pixels in x_BHWC.shape[1:3]):
        return _single_output(x_BHWC, kernel_KKCO)
    extra = stride if padding == 0 else 0
    y = lax.conv_general_dilated(
        x_BHWC,
        kernel_KKCO,
        (stride, stride),
        ((padding, padding + extra), (padding, padding)),
        dimension_numbers=DIMENSIONS,
    )
    return y[:, :-1] if extra else y


def _single_output(x_BHWC: jax.Array, kernel_KKCO: jax.Array) -> jax.Array:
    """The convolution whose kernel fits into the image once, as a matrix product.

    XLA flips the kernel inside its input gradient, which then runs on one core by a loop: 3.9 ms
    instead of 0.3 for the last layer of the discriminator, twice in a step of 122 ms (64 px demo).
    """
    size, _, channels, features = kernel_KKCO.shape
    patch = x_BHWC[:, :size, :size].reshape(-1, size * size * channels)
    return (patch @ kernel_KKCO.reshape(-1, features))[:, None, None, :]


def _pixel_by_pixel(x_BHWC: jax.Array, kernel_11CO: jax.Array) -> jax.Array:
    """The convolution of single pixels, as one matrix product over all of them.

    Its kernel gradient as a convolution has a kernel of the image's size and one output (32 images
    of 64 px, 32 channels to 8: 138 -> 5).
    """
    y = x_BHWC.reshape(-1, x_BHWC.shape[-1]) @ kernel_11CO[0, 0]
    return y.reshape(*x_BHWC.shape[:-1], -1)


def kernel_gradient(
    x_BHWC: jax.Array, g_BhwO: jax.Array, stride: int, padding: int, size: int
) -> jax.Array:
    """Gradient with respect to a (size, size, C, O) kernel, by JAX's transpose of a convolution.

    For a transposed convolution, call it with image and gradient exchanged (generator deconv1:
    13,545 -> 321).
    """
    shape = (size, size, x_BHWC.shape[-1], g_BhwO.shape[-1])
    kernel = jax.ShapeDtypeStruct(shape, x_BHWC.dtype)
    transpose = jax.linear_transpose(
        lambda k: _with_fast_gradient(x_BHWC, k, stride, padding), kernel
    )
    return transpose(g_BhwO)[0]


def input_gradient(
    g_BhwO: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int, shape: tuple[int, int]
) -> jax.Array:
    """Gradient with respect to an input of `shape` (H, W).

    In blocks, where the stride has gaps to fill and the kernel fills its blocks: an input block is
    the sum over the kernel's blocks of `gradient . kernel block^T`, a stride-1 convolution with the
    blocks in reverse order (AlexNet conv1: 182 -> 77, discriminator conv1: 70 -> 17, generator
    deconv1 forwards: 305 -> 161).
    """
    size = kernel_KKCO.shape[0]
    x = jax.ShapeDtypeStruct((len(g_BhwO), *shape, kernel_KKCO.shape[2]), g_BhwO.dtype)
    # Exchanging the channels of a kernel of more rows takes time, which few pixels do not repay.
    enough = len(g_BhwO) * shape[0] * shape[1] >= FEWEST_PIXELS and shape[0] > size
    if enough and toom_cook.pays(x, kernel_KKCO.shape, stride):
        transpose = jax.linear_transpose(lambda x: toom_cook.convolve(x, kernel_KKCO, padding), x)
        return transpose(g_BhwO)[0]
    if taps.pays(x, kernel_KKCO.shape, stride, padding):
        return jax.linear_transpose(lambda x: taps.convolve(x, kernel_KKCO, padding), x)(g_BhwO)[0]
    blocks = -(-size // stride)
    if stride == 1 or (blocks * stride / size) ** 2 > MOST_FILLING:
        transpose = jax.linear_transpose(lambda x: _plain(x, kernel_KKCO, stride, padding), x)
        return transpose(g_BhwO)[0]
    kernel_QQSO = lax.rev(kernel_to_blocks(kernel_KKCO, stride), (0, 1))
    blocks_BhwS = _over_blocks(g_BhwO, kernel_QQSO)
    return _blocks_to_image(blocks_BhwS, stride, padding, shape)


def _over_blocks(g_BhwO: jax.Array, kernel_QQSO: jax.Array) -> jax.Array:
    """The convolution of stride 1 that meets every block which a part of the kernel covers."""
    margin = kernel_QQSO.shape[0] - 1
    kernel_QQOS = jnp.swapaxes(kernel_QQSO, 2, 3)
    if toom_cook.pays(g_BhwO, kernel_QQOS.shape, 1):
        return toom_cook.convolve(g_BhwO, kernel_QQOS, margin)
    return lax.conv_general_dilated(
        g_BhwO,
        kernel_QQSO,
        (1, 1),
        ((margin, margin),) * 2,
        dimension_numbers=("NHWC", "HWOI", "NHWC"),
    )


def kernel_to_blocks(kernel_KKCO: jax.Array, stride: int) -> jax.Array:
    """(K, K, C, O) -> (Q, Q, S, O), the size filled up with zeros to complete blocks."""
    size, _, c, o = kernel_KKCO.shape
    q = -(-size // stride)
    fill = (0, q * stride - size)
    kernel = jnp.pad(kernel_KKCO, (fill, fill, (0, 0), (0, 0)))
    kernel = kernel.reshape(q, stride, q, stride, c, o).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(q, q, stride * stride * c, o)


def _blocks_to_image(
    x_BhwS: jax.Array, stride: int, padding: int, shape: tuple[int, int]
) -> jax.Array:
    """Lays the pixels of each block out, cuts the padding off, fills up to `shape` with zeros."""
    batch, rows, columns, _ = x_BhwS.shape
    x = x_BhwS.reshape(batch, rows, columns, stride, stride, -1).transpose(0, 1, 3, 2, 4, 5)
    x = x.reshape(batch, rows * stride, columns * stride, -1)
    bottom, right = shape[0] + padding - rows * stride, shape[1] + padding - columns * stride
    zero = jnp.zeros((), x.dtype)
    return lax.pad(x, zero, ((0, 0, 0), (-padding, bottom, 0), (-padding, right, 0), (0, 0, 0)))
