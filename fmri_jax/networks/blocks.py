"""Convolution gradients without dilation: stride-1 convolutions over blocks, and matrix products.

The one idea: **a convolution of stride s is a convolution of stride 1 over blocks of s x s
pixels**, a block's pixels becoming channels. Its input gradient is then a stride-1 convolution too,
and its kernel gradient a few matrix products; nothing is ever filled with zeros between pixels,
which is where XLA's CPU backend loses its time.

Shape suffixes: B batch, H W image, h w output, C channels in, O channels out, K kernel size,
Q kernel size in blocks, S = stride * stride * C channels of a block, N = B * h * w positions.
"""

import jax
import jax.numpy as jnp
from jax import lax

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def forward(x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int) -> jax.Array:
    """The convolution itself, kept off XLA's slow path for images without padding.

    jaxlib 0.10 hands a convolution without padding to YNNPACK, which takes three times as long as
    the Eigen kernel that runs with padding (0.30 against 0.10 s of CPU time at 34 px, 128 -> 128,
    batch 32). One output row too many, cut off again, avoids it.
    """
    extra = stride if padding == 0 else 0
    y = lax.conv_general_dilated(
        x_BHWC,
        kernel_KKCO,
        (stride, stride),
        ((padding, padding + extra), (padding, padding)),
        dimension_numbers=DIMENSIONS,
    )
    return y[:, :-1] if extra else y


def input_gradient(
    g_BhwO: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int, shape: tuple[int, int]
) -> jax.Array:
    """Gradient with respect to an input of `shape` (H, W): a convolution that yields blocks.

    An input block is the sum over the kernel's blocks of `gradient . kernel block^T`: a stride-1
    convolution with the blocks in reverse order. At 227 px, kernel 11, stride 4, 3 -> 64 channels
    it takes 0.29 of PyTorch's time.
    """
    kernel_QQSO = _kernel_to_blocks(kernel_KKCO, stride)
    reversed_QQOS = jnp.swapaxes(kernel_QQSO[::-1, ::-1], 2, 3)
    blocks_BhwS = forward(g_BhwO, reversed_QQOS, 1, kernel_QQSO.shape[0] - 1)
    return _blocks_to_image(blocks_BhwS, stride, padding, shape)


def kernel_gradient(
    x_BHWC: jax.Array, g_BhwO: jax.Array, stride: int, padding: int, size: int
) -> jax.Array:
    """Gradient with respect to the kernel: a matrix product a block (or row) of the kernel.

    XLA writes it as a convolution whose kernel is the whole gradient image, 20 to 40 times slower
    for transposed convolutions. Large kernels of few channels would give products too thin to be
    fast, so from `Q = 5` on the Q columns are laid side by side as channels first: 0.24 against
    0.38 s at 56 px, kernel 5, 32 -> 64 channels. (Laying out rows as well costs more memory and
    time than it saves.)
    """
    h, w = g_BhwO.shape[1:3]
    q = -(-size // stride)
    x_BHWS = _image_to_blocks(x_BHWC, stride, padding, (h + q - 1, w + q - 1))
    channels = x_BHWS.shape[-1]
    columns = [x_BHWS[:, :, j : j + w] for j in range(q)]
    if q >= 5:
        columns = [jnp.concatenate(columns, axis=-1)]
    products = [_product(column[:, i : i + h], g_BhwO) for i in range(q) for column in columns]
    kernel_QQSO = jnp.stack(products).reshape(q, q, channels, -1)
    return _blocks_to_kernel(kernel_QQSO, stride, size).astype(x_BHWC.dtype)


def _product(x_BhwS: jax.Array, g_BhwO: jax.Array) -> jax.Array:
    """Sum over batch and positions of the outer products: (S, O).

    The operand with fewer channels goes first: Eigen packs the first one, and takes up to twice as
    long the other way round (0.27 against 0.13 s at N = 131,072, 512 x 64).
    """
    x_NS = x_BhwS.reshape(-1, x_BhwS.shape[-1])
    g_NO = g_BhwO.reshape(-1, g_BhwO.shape[-1])
    over_positions = (((0,), (0,)), ((), ()))
    if x_NS.shape[1] <= g_NO.shape[1]:
        return lax.dot_general(x_NS, g_NO, over_positions, preferred_element_type=jnp.float32)
    return lax.dot_general(g_NO, x_NS, over_positions, preferred_element_type=jnp.float32).T


def _image_to_blocks(
    x_BHWC: jax.Array, stride: int, padding: int, blocks: tuple[int, int]
) -> jax.Array:
    """Pads (or cuts) an image to `blocks` and makes each block of pixels one pixel."""
    batch, height, width, channels = x_BHWC.shape
    rows, columns = blocks
    bottom, right = rows * stride - height - padding, columns * stride - width - padding
    x = _pad(x_BHWC, (padding, bottom), (padding, right))
    if stride == 1:
        return x
    x = x.reshape(batch, rows, stride, columns, stride, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, rows, columns, stride * stride * channels)


def _blocks_to_image(
    x_BhwS: jax.Array, stride: int, padding: int, shape: tuple[int, int]
) -> jax.Array:
    """The inverse of `_image_to_blocks`, for an image of `shape`."""
    batch, rows, columns, _ = x_BhwS.shape
    x = x_BhwS
    if stride > 1:
        x = x.reshape(batch, rows, columns, stride, stride, -1).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows * stride, columns * stride, -1)
    bottom, right = shape[0] + padding - rows * stride, shape[1] + padding - columns * stride
    return _pad(x, (-padding, bottom), (-padding, right))


def _pad(x_BHWC: jax.Array, rows: tuple[int, int], columns: tuple[int, int]) -> jax.Array:
    """Zeros around (or, where negative, cuts from) an image."""
    zero = jnp.zeros((), x_BHWC.dtype)
    return lax.pad(x_BHWC, zero, ((0, 0, 0), (*rows, 0), (*columns, 0), (0, 0, 0)))


def _kernel_to_blocks(kernel_KKCO: jax.Array, stride: int) -> jax.Array:
    """(K, K, C, O) -> (Q, Q, S, O), the size filled up with zeros to whole blocks."""
    size, _, c, o = kernel_KKCO.shape
    q = -(-size // stride)
    fill = (0, q * stride - size)
    kernel = jnp.pad(kernel_KKCO, (fill, fill, (0, 0), (0, 0)))
    kernel = kernel.reshape(q, stride, q, stride, c, o).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(q, q, stride * stride * c, o)


def _blocks_to_kernel(kernel_QQSO: jax.Array, stride: int, size: int) -> jax.Array:
    """The inverse of `_kernel_to_blocks`."""
    q, _, s, o = kernel_QQSO.shape
    kernel = kernel_QQSO.reshape(q, q, stride, stride, s // stride**2, o)
    kernel = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(q * stride, q * stride, -1, o)
    return kernel[:size, :size]
