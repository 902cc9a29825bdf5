"""Convolutions, transposed convolutions and max-pooling that are fast on CPU too.

XLA's CPU backend runs matrix products and padded stride-1 convolutions at the speed of the chip,
and everything else around a convolution far below it. So there are two forms of each layer:

* `"xla"`: the plain `jax.lax` operation, best on GPU and TPU;
* `"blocks"`: the same numbers from stride-1 convolutions and matrix products, best on CPU.

The one idea of the second form: **a convolution of stride s is a convolution of stride 1 over
blocks of s x s pixels**, a block's pixels becoming channels. Its input gradient is then a stride-1
convolution too, its kernel gradient a few matrix products, and a transposed convolution is that
input gradient used forwards. Nothing is ever dilated with zeros.

Shape suffixes: B batch, H W image, h w output, C channels in, O channels out, K kernel.
"""

import functools
import math
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

Form = Literal["auto", "blocks", "xla"]

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def resolve(form: Form) -> Form:
    """The form that `"auto"` stands for: `"blocks"` where the default backend is the CPU."""
    if form != "auto":
        return form
    return "blocks" if jax.default_backend() == "cpu" else "xla"


def conv(
    x_BHWC: jax.Array,
    kernel_KKCO: jax.Array,
    stride: int = 1,
    padding: int = 0,
    form: Form = "auto",
) -> jax.Array:
    """Cross-correlation with a square kernel, as in `nn.Conv` and `torch.nn.Conv2d`.

    Args:
        x_BHWC: images (batch, height, width, channels in).
        kernel_KKCO: kernel (size, size, channels in, channels out).
        stride: step in pixels along both axes.
        padding: zeros added on each side.
        form: which implementation to run; both compute the same numbers.

    Returns:
        (batch, h, w, channels out) with h = (height + 2 padding - size) // stride + 1.
    """
    if resolve(form) == "xla":
        return _plain_conv(x_BHWC, kernel_KKCO, stride, padding)
    return _conv(x_BHWC, kernel_KKCO, stride, padding)


def conv_transpose(
    x_BhwO: jax.Array,
    kernel_KKOC: jax.Array,
    stride: int = 2,
    padding: int = 1,
    form: Form = "auto",
) -> jax.Array:
    """Transposed convolution: `torch.nn.ConvTranspose2d`, with the kernel as in `nn.ConvTranspose`.

    PyTorch stores the kernel turned by 180 degrees: `kernel[::-1, ::-1]` converts either way. Flax
    counts padding from the other end: its `padding` is `size - 1 - padding` of this one.

    Args:
        x_BhwO: images (batch, height, width, channels in).
        kernel_KKOC: kernel (size, size, channels in, channels out).
        stride: enlargement along both axes.
        padding: pixels cut off each side of the enlarged image.
        form: which implementation to run; both compute the same numbers.

    Returns:
        (batch, H, W, channels out) with H = (height - 1) stride + size - 2 padding.
    """
    size = kernel_KKOC.shape[0]
    if resolve(form) == "xla":
        return lax.conv_transpose(
            x_BhwO,
            kernel_KKOC,
            (stride, stride),
            ((size - 1 - padding,) * 2,) * 2,
            dimension_numbers=_DIMENSIONS,
        )
    kernel_KKCO = jnp.swapaxes(kernel_KKOC[::-1, ::-1], 2, 3)
    return _conv_transpose(x_BhwO, kernel_KKCO, stride, padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv(x: jax.Array, kernel: jax.Array, stride: int, padding: int) -> jax.Array:
    """A convolution whose gradients take the block form below."""
    return _plain_conv(x, kernel, stride, padding, avoid_valid=True)


def _conv_forward(x, kernel, stride, padding):  # type: ignore[no-untyped-def]
    return _conv(x, kernel, stride, padding), (x, kernel)


def _conv_backward(stride, padding, saved, gradient):  # type: ignore[no-untyped-def]
    x, kernel = saved
    size = kernel.shape[0]
    return (
        _input_gradient(gradient, kernel, stride, padding, x.shape[1:3]),
        _kernel_gradient(x, gradient, stride, padding, size),
    )


_conv.defvjp(_conv_forward, _conv_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _conv_transpose(x: jax.Array, kernel: jax.Array, stride: int, padding: int) -> jax.Array:
    """The input gradient of `_conv`, used forwards; `_conv` is then its own input gradient."""
    size = kernel.shape[0]
    height, width = ((n - 1) * stride + size - 2 * padding for n in x.shape[1:3])
    return _input_gradient(x, kernel, stride, padding, (height, width))


def _conv_transpose_forward(x, kernel, stride, padding):  # type: ignore[no-untyped-def]
    return _conv_transpose(x, kernel, stride, padding), (x, kernel)


def _conv_transpose_backward(stride, padding, saved, gradient):  # type: ignore[no-untyped-def]
    x, kernel = saved
    size = kernel.shape[0]
    return (
        _plain_conv(gradient, kernel, stride, padding, avoid_valid=True),
        _kernel_gradient(gradient, x, stride, padding, size),
    )


_conv_transpose.defvjp(_conv_transpose_forward, _conv_transpose_backward)


def _plain_conv(
    x_BHWC: jax.Array,
    kernel_KKCO: jax.Array,
    stride: int,
    padding: int,
    avoid_valid: bool = False,
) -> jax.Array:
    """`lax.conv_general_dilated`, optionally kept off XLA's slow path for unpadded images.

    jaxlib 0.10 hands a convolution without padding to YNNPACK, which takes three times as long as
    the Eigen kernel that runs with padding. One row of zeros too many, cut off again, avoids it.
    """
    unpadded = avoid_valid and padding == 0
    bottom = padding + stride if unpadded else padding
    y = lax.conv_general_dilated(
        x_BHWC,
        kernel_KKCO,
        (stride, stride),
        ((padding, bottom), (padding, padding)),
        dimension_numbers=_DIMENSIONS,
    )
    return y[:, :-1] if unpadded else y


def _input_gradient(
    gradient_BhwO: jax.Array,
    kernel_KKCO: jax.Array,
    stride: int,
    padding: int,
    shape: tuple[int, int],
) -> jax.Array:
    """Gradient of a convolution with respect to its input, of size `shape`, as a convolution.

    An input block is the sum over the kernel's blocks of `kernel block^T gradient`: a stride-1
    convolution with the kernel's blocks turned round, whose output channels are a block's pixels.
    """
    kernel_QQSO = _kernel_to_blocks(kernel_KKCO, stride)
    n = kernel_QQSO.shape[0]
    turned_QQOS = jnp.swapaxes(kernel_QQSO[::-1, ::-1], 2, 3)
    blocks = _plain_conv(gradient_BhwO, turned_QQOS, 1, n - 1, avoid_valid=True)
    return _blocks_to_image(blocks, stride, padding, shape)


def _kernel_gradient(
    x_BHWC: jax.Array, gradient_BhwO: jax.Array, stride: int, padding: int, size: int
) -> jax.Array:
    """Gradient of a convolution with respect to its kernel: one matrix product a kernel block.

    XLA writes it as a convolution whose kernel is the whole gradient image, 20 times slower than
    the products of all shifted input blocks with the gradient, summed over batch and positions.
    """
    n_blocks = -(-size // stride)
    h, w = gradient_BhwO.shape[1:3]
    x_blocks = _image_to_blocks(x_BHWC, stride, padding, (h + n_blocks - 1, w + n_blocks - 1))
    g_NO = gradient_BhwO.reshape(-1, gradient_BhwO.shape[-1])
    products = [
        lax.dot_general(
            x_blocks[:, i : i + h, j : j + w].reshape(-1, x_blocks.shape[-1]),
            g_NO,
            (((0,), (0,)), ((), ())),
            preferred_element_type=jnp.float32,
        )
        for i in range(n_blocks)
        for j in range(n_blocks)
    ]
    kernel_QQSO = jnp.stack(products).reshape(n_blocks, n_blocks, *products[0].shape)
    return _blocks_to_kernel(kernel_QQSO, stride, size).astype(x_BHWC.dtype)


def _image_to_blocks(
    x_BHWC: jax.Array, stride: int, padding: int, n_blocks: tuple[int, int]
) -> jax.Array:
    """Pads (or cuts) the image and makes each block of stride x stride pixels one pixel."""
    batch, height, width, channels = x_BHWC.shape
    rows, columns = n_blocks
    zero = jnp.zeros((), x_BHWC.dtype)
    after = (rows * stride - height - padding, columns * stride - width - padding)
    x = lax.pad(
        x_BHWC, zero, ((0, 0, 0), (padding, after[0], 0), (padding, after[1], 0), (0, 0, 0))
    )
    if stride == 1:
        return x
    x = x.reshape(batch, rows, stride, columns, stride, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, rows, columns, stride * stride * channels)


def _blocks_to_image(
    blocks: jax.Array, stride: int, padding: int, shape: tuple[int, int]
) -> jax.Array:
    """The inverse of `_image_to_blocks`, for an image of size `shape`."""
    batch, rows, columns, _ = blocks.shape
    x = blocks
    if stride > 1:
        x = x.reshape(batch, rows, columns, stride, stride, -1).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows * stride, columns * stride, -1)
    after = (shape[0] + padding - rows * stride, shape[1] + padding - columns * stride)
    zero = jnp.zeros((), x.dtype)
    return lax.pad(
        x, zero, ((0, 0, 0), (-padding, after[0], 0), (-padding, after[1], 0), (0, 0, 0))
    )


def _kernel_to_blocks(kernel_KKCO: jax.Array, stride: int) -> jax.Array:
    """(size, size, C, O) -> (blocks, blocks, stride stride C, O), the size filled up with zeros."""
    size, _, c, o = kernel_KKCO.shape
    n = -(-size // stride)
    fill = (0, n * stride - size)
    kernel = jnp.pad(kernel_KKCO, (fill, fill, (0, 0), (0, 0)))
    kernel = kernel.reshape(n, stride, n, stride, c, o).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(n, n, stride * stride * c, o)


def _blocks_to_kernel(kernel_QQSO: jax.Array, stride: int, size: int) -> jax.Array:
    """The inverse of `_kernel_to_blocks`."""
    n, _, s, o = kernel_QQSO.shape
    kernel = kernel_QQSO.reshape(n, n, stride, stride, s // stride**2, o)
    kernel = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(n * stride, n * stride, -1, o)
    return kernel[:size, :size]
