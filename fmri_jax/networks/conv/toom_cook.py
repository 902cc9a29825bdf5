"""Convolutions of stride 1 and kernels up to 5 x 5 with half the multiplications, for CPU.

Toom and Cook's algorithm, along the rows of an image only. n rows of outputs under a kernel
of K rows take n K products the plain way. They are also the coefficients of a product of
polynomials (transposed), which its values at n + K - 1 points determine: 8 products instead of 20
for four rows under five. Each product is a convolution by a kernel of one row, which XLA runs
at the speed of its matrix products; the values are sums of rows, cheap beside them.

The same along both axes (Winograd's form) takes fewer products still, but many more sums to compute
and to compile, and the rounding errors of both axes multiply. Along one axis errors are at most
3e-6 of the largest output (plain convolution: 5e-7).

Milliseconds, plain and this one (batch 32, 227 px, 2 cores), forwards and input gradient: AlexNet
conv2 66 -> 31 and 81 -> 39, discriminator conv2 50 -> 27 and 57 -> 27. Kernel gradients take
longer this way (57 -> 77) and stay as they are.

Shape suffixes: B batch, H W image, t tiles of rows, C channels in, O channels out, K kernel size.

References:
    Lavin & Gray (2016), "Fast algorithms for convolutional neural networks", CVPR, section 4.1.
    Blahut (2010), "Fast algorithms for signal processing", Cambridge, chapter 5.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Where polynomials are evaluated, the last point being infinity. Small numbers whose products are
# exact, and each with its inverse, make the least errors. The first n + K - 2 are used.
POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, -0.5, 2.0)
MOST_OUTPUTS = 4  # rows per tile: with 6 errors triple, for a tenth fewer products

# By kernel size: with fewer channels sums take as long as the products they save.
FEWEST_CHANNELS = {2: 128, 3: 64, 5: 16}

# Multiplications of the plain convolution: less work does not repay another half second to compile.
FEWEST_PRODUCTS = 8e7


def pays(x: jax.ShapeDtypeStruct | jax.Array, kernel_shape: Sequence[int], stride: int) -> bool:
    """Whether this convolution, and its input gradient, are faster this way.

    Args:
        x: images (batch, height, width, channels in).
        kernel_shape: (K, K, channels in, channels out).
        stride: of the convolution.
    """
    batch, height, width, _ = x.shape
    size, _, *channels = kernel_shape
    if stride != 1 or size not in FEWEST_CHANNELS or x.dtype != jnp.float32:
        return False
    large = min(channels) >= FEWEST_CHANNELS[size] and height >= size
    products = batch * height * width * math.prod(kernel_shape)
    return large and products >= FEWEST_PRODUCTS


def convolve(x_BHWC: jax.Array, kernel_KKCO: jax.Array, padding: int) -> jax.Array:
    """The convolution, of stride 1.

    Args:
        x_BHWC: images.
        kernel_KKCO: kernel of 2 x 2, 3 x 3 or 5 x 5.
        padding: zeros on each side.

    Returns:
        (batch, height + 2 padding - K + 1, width + 2 padding - K + 1, O).
    """
    size = len(kernel_KKCO)
    batch, height, width, _ = x_BHWC.shape
    rows = height + 2 * padding - size + 1
    new = _outputs(rows, size)
    tiles = -(-rows // new)
    at_outputs, at_kernel, at_inputs = _transforms(new, size)
    edge = (padding, new * tiles + size - 1 - height - padding, 0)
    x = lax.pad(x_BHWC, jnp.zeros((), x_BHWC.dtype), ((0, 0, 0), edge, (0, 0, 0), (0, 0, 0)))

    def row(i: int) -> jax.Array:
        """Row i of every tile: (B, t, W, C)."""
        end = (batch, i + new * (tiles - 1) + 1, width, x.shape[-1])
        return lax.slice(x, (0, i, 0, 0), end, (1, new, 1, 1))

    inputs = [row(i) for i in range(new + size - 1)]
    products = [
        _along_row(_combined(of_inputs, inputs), _combined(of_kernel, kernel_KKCO), padding)
        for of_inputs, of_kernel in zip(at_inputs, at_kernel, strict=True)
    ]
    outputs = jnp.stack([_combined(of_products, products) for of_products in at_outputs], axis=2)
    return outputs.reshape(batch, new * tiles, *outputs.shape[3:])[:, :rows]


def _along_row(x_BtWC: jax.Array, kernel_KCO: jax.Array, padding: int) -> jax.Array:
    """The convolution by a kernel of one row; one pixel more without padding (see `cpu`)."""
    extra = 1 if padding == 0 else 0
    y = lax.conv_general_dilated(
        x_BtWC,
        kernel_KCO[None],
        (1, 1),
        ((0, 0), (padding, padding + extra)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y[:, :, :-1] if extra else y


def _combined(factors: np.ndarray, terms: Sequence[jax.Array] | jax.Array) -> jax.Array:
    """The sum of terms, each times its factor, without those that are 0."""
    parts = [
        term if factor == 1 else float(factor) * term
        for factor, term in zip(factors, terms, strict=True)
        if factor
    ]
    return functools.reduce(jnp.add, parts)


def _outputs(rows: int, size: int) -> int:
    """Rows per tile with which `rows` take the fewest products; the fewer, the more exact."""
    return min(range(2, MOST_OUTPUTS + 1), key=lambda new: -(-rows // new) * (new + size - 1))


@functools.cache
def _transforms(new: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lagrange's interpolation of polynomials with `new` + `size` - 1 coefficients, transposed.

    Returns:
        outputs from products (new, p); points of the kernel (p, size) and of the inputs (p, p),
        p = new + size - 1.
    """
    points = np.asarray(POINTS[: new + size - 2])
    others = [np.delete(points, i) for i in range(len(points))]
    norms = np.asarray([np.prod(at - rest) for at, rest in zip(points, others, strict=True)])
    at_outputs = np.vstack([np.vander(points, new, increasing=True), np.eye(new)[-1]]).T
    of_kernel = np.vander(points, size, increasing=True) / norms[:, None]
    at_kernel = np.vstack([of_kernel, np.eye(size)[-1]])
    of_inputs = [np.append(np.poly(rest)[::-1], 0.0) for rest in others]
    return at_outputs, at_kernel, np.vstack([*of_inputs, np.poly(points)[::-1]])
