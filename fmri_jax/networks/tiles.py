"""The numbers that Winograd's form multiplies, of images, gradients and kernels (see `winograd`).

A tile has 4 x 4 inputs, of which 5 - K a side are new. A matrix along both axes turns them into the
tile's numbers, another one the taps of a kernel into its own, a third one products into outputs.

XLA compiles equal loops once, and most of what it compiles here are the 16 transforms of each layer
and pass. They differ in where they read and in their factors alone: hidden from XLA (`_hidden`),
these leave few loops to compile (the step at 227 px: 870 -> 432, in 25 instead of 31 processor
seconds), which run as fast. `jax.jit` traces each of them once, too.

Shape suffixes: B batch, H W image, C channels in, O channels out, K kernel size.

References:
    Lavin & Gray (2016), "Fast algorithms for convolutional neural networks", CVPR, section 4.1.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

TILE = 4  # inputs a side; TILE + 1 - K of them are new in each tile

# The matrices of one axis, from the points 0, 1, -1 and infinity: numbers of a tile's inputs,
# numbers of a kernel of K taps, and outputs from the products of kernels of K taps.
_INPUTS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
_KERNEL = {
    2: np.array([[1, 0], [0.5, 0.5], [0.5, -0.5], [0, 1]]),
    3: np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
}
_OUTPUTS = {
    2: np.array([[1, 1, 1, 0], [0, 1, -1, 0], [0, 1, 1, -1]]),
    3: np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
}


def of_inputs(x_BHWC: jax.Array, size: int, padding: int) -> list[list[jax.Array]]:
    """The 4 x 4 numbers (batch * t * u, C) of tiles that overlap by K - 1 pixels."""
    new = TILE + 1 - size
    batch, *sides, channels = x_BHWC.shape
    outputs = (side + 2 * padding - size + 1 for side in sides)
    # How many tiles there are, and which pixels are the first of one.
    spans = [new * (-(-side // new) - 1) + 1 for side in outputs]
    edges = [
        (padding, span + TILE - 1 - side - padding, 0)
        for span, side in zip(spans, sides, strict=True)
    ]
    padded = lax.pad(x_BHWC, jnp.zeros((), x_BHWC.dtype), ((0, 0, 0), *edges, (0, 0, 0)))

    def number(row: np.ndarray, column: np.ndarray) -> jax.Array:
        factors = np.outer(row, column)
        places = np.argwhere(factors)
        return _of_pixels(
            padded,
            _hidden(places.astype(np.uint32)),
            _hidden(factors[tuple(places.T)].astype(x_BHWC.dtype)),
            tuple(spans),
            new,
        )

    return [[number(row, column) for column in _INPUTS] for row in _INPUTS]


@functools.partial(jax.jit, static_argnames=("spans", "new"))
def _of_pixels(
    x_BHWC: jax.Array, places: jax.Array, factors: jax.Array, spans: tuple[int, int], new: int
) -> jax.Array:
    """One number of all tiles (batch * t * u, C): pixels at places (n, 2) of each, times factors.

    Args:
        x_BHWC: padded images.
        places: unsigned, as JAX turns places below zero round.
        factors: (n,).
        spans: from the first pixel of the first tile to that of the last.
        new: pixels from one tile to the next.
    """
    batch, *_, channels = x_BHWC.shape
    zero, terms = np.uint32(0), []
    for (i, j), factor in zip(places, factors, strict=True):
        x = lax.dynamic_slice(x_BHWC, (zero, i, j, zero), (batch, *spans, channels))
        terms.append(factor * x[:, ::new, ::new].reshape(-1, channels))
    return functools.reduce(jnp.add, terms)


def of_outputs(g_BHWO: jax.Array, size: int) -> list[list[jax.Array]]:
    """The 4 x 4 numbers (batch * t * u, O) that outputs are made of, from their gradient."""
    new = TILE + 1 - size
    edges = [(0, -side % new) for side in g_BHWO.shape[1:3]]
    g = jnp.pad(g_BHWO, ((0, 0), *edges, (0, 0)))
    pixels = [
        [g[:, i::new, j::new].reshape(-1, g.shape[-1]) for j in range(new)] for i in range(new)
    ]
    return _mixtures(_OUTPUTS[size].T, pixels)


def of_kernel(kernel_KKCO: jax.Array) -> list[list[jax.Array]]:
    """The 4 x 4 numbers (C, O). As products with small matrices XLA takes far longer."""
    taps = range(len(kernel_KKCO))
    return _mixtures(_KERNEL[len(taps)], [[kernel_KKCO[i, j] for j in taps] for i in taps])


def to_outputs(
    products: list[list[jax.Array]], size: int, batch: int, sides: tuple[int, int]
) -> jax.Array:
    """4 x 4 products (batch * t * u, O) -> images (batch, *sides, O)."""
    new = TILE + 1 - size
    t, u = (-(-side // new) for side in sides)
    rows = [
        jnp.stack([y.reshape(batch, t, u, -1) for y in row], axis=3)
        for row in _both_axes(_OUTPUTS[size], products)
    ]
    images = jnp.stack(rows, axis=2).reshape(batch, new * t, new * u, -1)
    return images[:, : sides[0], : sides[1]]


def to_kernel(products: list[list[jax.Array]], size: int) -> jax.Array:
    """4 x 4 gradients (C, O) of a kernel's numbers -> that of the kernel (K, K, C, O)."""
    return jnp.stack([jnp.stack(row) for row in _both_axes(_KERNEL[size].T, products)])


def _mixtures(matrix: np.ndarray, values: list[list[jax.Array]]) -> list[list[jax.Array]]:
    """The matrix along both axes of a square of arrays, each sum in a loop like the others."""
    flat = [value for line in values for value in line]

    def mixture(row: np.ndarray, column: np.ndarray) -> jax.Array:
        return _mixture(flat, _hidden(np.outer(row, column).ravel().astype(flat[0].dtype)))

    return [[mixture(row, column) for column in matrix] for row in matrix]


@jax.jit
def _mixture(values: list[jax.Array], factors: jax.Array) -> jax.Array:
    terms = [factor * value for factor, value in zip(factors, values, strict=True)]
    return functools.reduce(jnp.add, terms)


def _hidden(constants: np.ndarray) -> jax.Array:
    """Numbers that XLA does not see, so that loops which differ in them alone are one.

    Arrays: a single number would be written into the loop after all.
    """
    return lax.optimization_barrier(jnp.asarray(constants))


def _both_axes(matrix: np.ndarray, values: list[list[jax.Array]]) -> list[list[jax.Array]]:
    """The matrix along both axes of a square of arrays, in one loop for all that come of it."""
    columns = [_along(matrix, column) for column in zip(*values, strict=True)]
    return [_along(matrix, row) for row in zip(*columns, strict=True)]


def _along(matrix: np.ndarray, values: Sequence[jax.Array]) -> list[jax.Array]:
    """Sums of arrays, each with the factors of one row of the matrix."""
    sums = []
    for row in matrix:
        terms = [(factor, x) for factor, x in zip(row, values, strict=True) if factor]
        sums.append(functools.reduce(jnp.add, [x if f == 1 else f * x for f, x in terms]))
    return sums
