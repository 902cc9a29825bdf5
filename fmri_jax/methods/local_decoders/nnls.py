"""Non-negative least squares, many problems at once."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError

_matmul = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


def nnls(gram: Any, products: Any, n_steps: int = 3000) -> jax.Array:
    """Least |A x - b|^2 over x >= 0, from A^T A and A^T b.

    Accelerated projected gradient descent with restarts, on unknowns that are scaled to a unit
    diagonal; then one exact least-squares solve for the unknowns that ended up positive, which is
    kept where it is feasible and at least as good.

    Args:
        gram: (..., k, k), A^T A. An unknown whose diagonal is 0 is not used: it stays 0.
        products: (..., k), A^T b.
        n_steps: of the descent.

    Returns:
        (..., k). Where A has dependent columns the solution is one of several.

    Raises:
        InputError: the shapes do not fit each other.

    References:
        Lawson & Hanson (1974), Solving Least Squares Problems, chapter 23, the problem;
        O'Donoghue & Candes (2015), Found. Comput. Math. 15:715, gradient restarts.
    """
    gram, products = jnp.asarray(gram), jnp.asarray(products)
    if gram.ndim < 2 or gram.shape[:-1] != products.shape or gram.shape[-1] != gram.shape[-2]:
        raise InputError(
            f"gram has shape {gram.shape} and products {products.shape}: expected (..., k, k) and "
            "(..., k)."
        )
    k = products.shape[-1]
    solved = _solve_all(gram.reshape(-1, k, k), products.reshape(-1, k), n_steps)
    return solved.reshape(products.shape)


@functools.partial(jax.jit, static_argnames="n_steps")
def _solve_all(gram: jax.Array, products: jax.Array, n_steps: int) -> jax.Array:
    return jax.vmap(lambda g, p: _solve(g, p, n_steps))(gram, products)


def _solve(gram: jax.Array, products: jax.Array, n_steps: int) -> jax.Array:
    diagonal = jnp.diagonal(gram)
    scale = jnp.where(diagonal > 0, jax.lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1)), 0)
    gram, products = gram * scale[:, None] * scale, products * scale
    # The largest row sum bounds the largest eigenvalue.
    step = 1 / jnp.maximum(jnp.max(jnp.sum(jnp.abs(gram), axis=1)), 1e-12)

    def descend(_: jax.Array, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        x, ahead, momentum = state
        moved = jnp.maximum(ahead - step * (_matmul(gram, ahead) - products), 0)
        uphill = jnp.dot(ahead - moved, moved - x) > 0
        momentum = jnp.where(uphill, 1.0, momentum)
        following = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + jnp.where(uphill, 0, (momentum - 1) / following) * (moved - x)
        return moved, ahead, following

    start = jnp.zeros_like(products)
    x, _, _ = jax.lax.fori_loop(0, n_steps, descend, (start, start, jnp.ones((), gram.dtype)))
    return _polished(gram, products, x) * scale


def _polished(gram: jax.Array, products: jax.Array, x: jax.Array) -> jax.Array:
    """Solves exactly for the unknowns that are positive, if that stays feasible and helps."""
    active = x > 1e-6 * jnp.max(x)
    both = active[:, None] & active
    rounding = 10 * jnp.finfo(gram.dtype).eps * jnp.trace(gram)
    inner = jnp.where(both, gram, 0) + jnp.diag(jnp.where(active, rounding, 1))
    exact = jnp.where(active, jnp.linalg.solve(inner, jnp.where(active, products, 0)), 0)

    def cost(y: jax.Array) -> jax.Array:
        return jnp.dot(y, _matmul(gram, y) / 2 - products)

    better = jnp.all(exact >= 0) & (cost(exact) <= cost(x))
    return jnp.where(better, exact, x)
