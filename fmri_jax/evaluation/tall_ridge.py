"""Ridge regression where rows outnumber voxels, without any array of rows x rows or rows x pixels.

With thousands of rows the dual form (`evaluation.ridge._solve`) multiplies matrices of rows x rows
for each penalty, which take 6 GiB each at 40,000 rows. Here rows pass in blocks. With centred
responses X = U S V^T, targets Y, P = U^T Y and shares r = alpha / (s^2 + alpha) that ridge leaves,
the residuals of the rows of a group g are those outside the span of X and what is left inside,

    E_g = O_g + U_g diag(r) P,    O_g = Y_g - U_g P,

and those of the same rows left out (I - H_gg)^-1 E_g. Their squared norm needs of the targets only
O_g O_g^T, O_g P^T and P P^T, small matrices that do not depend on the penalty.

References:
    Allen (1974), Technometrics 16:125; groups: Cook & Weisberg (1982), Residuals and Influence in
    Regression, section 3.6.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import einsum, matmul

BLOCK = 1024  # rows at a time


class Components(NamedTuple):
    """Responses in their principal components, and what these predict of the targets."""

    mean: jax.Array  # (voxels,)
    right: jax.Array  # (voxels, components) V
    variance: jax.Array  # (components,) s^2
    projected: jax.Array  # (components, pixels) P
    target_mean: jax.Array  # (pixels,)


def components(rows: np.ndarray, images: np.ndarray, shown: np.ndarray) -> Components:
    """Decomposes responses and projects targets onto their components.

    Args:
        rows: (n, voxels), n > voxels, floating point.
        images: (stimuli, height, width, channels) uint8, or in [0, 1].
        shown: (n,) index into `images` of each row's target.
    """
    n, pixels = len(rows), int(np.prod(images.shape[1:]))
    mean = rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)
    gram = jnp.zeros((rows.shape[1],) * 2, rows.dtype)
    products = jnp.zeros((rows.shape[1], pixels), rows.dtype)
    total = jnp.zeros(pixels, rows.dtype)
    for at in _blocks(np.arange(n)):
        x, y = _centred(rows, mean, at), _targets(images, shown, at, rows.dtype)
        # Waited for, or targets of all blocks would lie in memory.
        gram, products, total = jax.block_until_ready(_added(gram, products, total, x, y))
    right, variance, projected = _decomposed(gram, products)
    return Components(jnp.asarray(mean), right, variance, projected, total / n)


def left_out_errors(
    rows: np.ndarray,
    images: np.ndarray,
    shown: np.ndarray,
    found: Components,
    alphas: jax.Array,
) -> np.ndarray:
    """(penalties,) summed squared errors of rows that are predicted without those of their target.

    Args:
        rows: as for `components`, and so are `images` and `shown`.
        images: (stimuli, height, width, channels).
        shown: (n,); rows of one target are left out together.
        found: of `components`.
        alphas: (penalties,).
    """
    errors = np.zeros(len(alphas))
    mean = np.asarray(found.target_mean)
    within = matmul(found.projected, found.projected.T)
    _, group, sizes = np.unique(shown, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(sizes)
    for size in np.unique(sizes):
        groups = order[(ends - sizes)[sizes == size][:, None] + np.arange(size)]
        for at in _blocks(groups):
            x = _centred(rows, np.asarray(found.mean), at.reshape(-1))
            y = _targets(images, shown, at.reshape(-1), rows.dtype) - mean
            y[at.reshape(-1) < 0] = 0
            errors += np.asarray(_errors(found, within, x, y, alphas, len(rows), int(size)))
    return errors


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Rows, or groups of them, of one shape; the last block is filled up with -1."""
    width = rows[0].size
    length = min(max(1, BLOCK // width), len(rows))
    for start in range(0, len(rows), length):
        block = rows[start : start + length]
        empty = [(0, length - len(block)), *[(0, 0)] * (block.ndim - 1)]
        yield np.pad(block, empty, constant_values=-1)


def _centred(rows: np.ndarray, mean: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Responses of a block less their mean; zeros where there is no row."""
    return np.where(at[:, None] >= 0, rows[at] - mean, 0)


def _targets(images: np.ndarray, shown: np.ndarray, at: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """(rows of a block, pixels); zeros where there is no row."""
    found = images[shown[at]].reshape(len(at), -1).astype(dtype)
    if images.dtype == np.uint8:
        found /= dtype.type(255)
    found[at < 0] = 0
    return found


@jax.jit
def _added(
    gram: jax.Array, products: jax.Array, total: jax.Array, x: jax.Array, y: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Sums over rows so far, and those of a block."""
    return gram + matmul(x.T, x), products + matmul(x.T, y), total + jnp.sum(y, axis=0)


@jax.jit
def _decomposed(gram: jax.Array, products: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Right vectors, squared singular values (0 where they are rounding), U^T Y."""
    variance, right = jnp.linalg.eigh(gram)
    kept = variance > 16 * jnp.finfo(gram.dtype).eps * variance[-1]
    variance, right = jnp.where(kept, variance, 0), jnp.where(kept, right, 0)
    return right, variance, matmul((right * _inverse(variance)).T, products)


def _inverse(variance: jax.Array) -> jax.Array:
    """1 / s, 0 where s is."""
    return jnp.where(variance > 0, jax.lax.rsqrt(jnp.where(variance > 0, variance, 1)), 0)


@functools.partial(jax.jit, static_argnames="size")
def _errors(
    found: Components,
    within: jax.Array,
    x: jax.Array,
    y: jax.Array,
    alphas: jax.Array,
    n: int,
    size: int,
) -> jax.Array:
    """(penalties,) errors of a block of groups of one size; rows of zeros add nothing.

    Args:
        found: of `components`.
        within: P P^T.
        x: (groups x size, voxels) centred.
        y: (groups x size, pixels) centred.
        alphas: (penalties,).
        n: rows of all blocks.
        size: of a group.
    """
    left = matmul(x, found.right * _inverse(found.variance))
    outside = y - matmul(left, found.projected)
    across = matmul(outside, found.projected.T)
    left, outside, across = (
        part.reshape(-1, size, part.shape[1]) for part in (left, outside, across)
    )
    inside = functools.partial(einsum, "gik,gjk->gij")
    squares = inside(outside, outside)
    slack = 1e-6 if x.dtype == jnp.float32 else 1e-12  # rounding must not make it singular
    beyond = jnp.eye(size, dtype=x.dtype) * (1 + slack) - inside(left, left) - 1 / n

    solve = jax.vmap(jax.scipy.linalg.lu_solve)

    def error(alpha: jax.Array) -> jax.Array:
        rest = left * (alpha / (found.variance + alpha))
        mixed = inside(rest, across)
        residual = squares + mixed + jnp.swapaxes(mixed, 1, 2) + inside(matmul(rest, within), rest)
        remaining = beyond + inside(rest, left)  # I - H_gg
        # One: independent batches of LAPACK's may wait for each other for ever (`for_solving`).
        factors = jax.scipy.linalg.lu_factor(remaining)
        half = solve(factors, residual)
        return jnp.sum(solve(factors, jnp.swapaxes(half, 1, 2)) * jnp.eye(size))

    return jax.lax.map(error, alphas)
