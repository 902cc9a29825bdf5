"""Solvers with a formula: least squares, ridge regression, the best single voxel.

Targets may have features of their own (`selected`); one factorisation serves those that share all.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh

from fmri_jax.arrays import matmul
from fmri_jax.linear.design import (
    Design,
    centre_targets,
    check,
    check_alpha,
    design,
    original_units,
)
from fmri_jax.linear.model import LinearModel, SparseLinearModel
from fmri_jax.linear.selection import correlate, f_scores, select_rows
from fmri_jax.linear.target_batches import map_targets

# (rows (k, n), targets (n, t), alpha (t,)) -> coefficients (k, t)
Solver = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]

# A Gram matrix whose smallest eigenvalue is below this many eps of its largest is near singular.
NEAR_SINGULAR = 1e3


def least_squares(X: Any, Y: Any, selected: Any = None, *, mesh: Mesh | None = None) -> LinearModel:
    """Least squares with intercept; of many solutions the one of smallest norm.

    Args:
        X: (samples, features).
        Y: (samples, targets).
        selected: (targets, k) features that each target may use; None for all.
        mesh: mesh with an axis 'data' over which targets with their own features are split.

    Returns:
        `coef` (features, targets) and `intercept` (targets,), as scikit-learn's
        `LinearRegression`. Singular values below max(samples, features) eps of the largest count
        as zero.

    Raises:
        InputError: the arrays do not fit each other.
    """
    X, Y, selected = check(X, Y, selected)
    return _solve(X, Y, selected, jnp.zeros(Y.shape[1], X.dtype), "least_squares", mesh)


def ridge(
    X: Any, Y: Any, alpha: Any = 1.0, selected: Any = None, *, mesh: Mesh | None = None
) -> LinearModel:
    """Ridge regression with intercept: least |Y - X w|^2 + alpha |w|^2 (Hoerl & Kennard 1970).

    Args:
        X: (samples, features).
        Y: (samples, targets).
        alpha: penalty, one for all or (targets,); positive.
        selected: (targets, k) features that each target may use; None for all.
        mesh: mesh with an axis 'data' over which targets with their own features are split.

    Returns:
        `coef` (features, targets) and `intercept` (targets,), as scikit-learn's `Ridge`.

    Raises:
        InputError: the arrays do not fit each other, or a penalty is not positive.
    """
    X, Y, selected = check(X, Y, selected)
    alpha = check_alpha(alpha, Y)
    return _solve(X, Y, selected, alpha, "ridge", mesh)


def univariate(X: Any, Y: Any) -> LinearModel:
    """Regression of each target on its one best feature, by F-test.

    Args:
        X: (samples, features).
        Y: (samples, targets).

    Returns:
        `coef` (features, targets) with one entry a target, and `intercept` (targets,); as
        scikit-learn's `SelectKBest(f_regression, k=1)` before `LinearRegression`.

    Raises:
        InputError: the arrays do not fit each other.
    """
    X, Y, _ = check(X, Y)
    return _univariate(X, Y).dense(X.shape[1])


@functools.partial(jax.jit, static_argnames=("solver", "mesh"))
def _solve(X, Y, selected, alpha, solver: str, mesh: Mesh | None) -> LinearModel:
    features = design(X, standardise=False)
    targets, y_mean = centre_targets(Y)
    if selected is not None:
        indices, values = solve_selected(
            SOLVERS[solver], features, targets, selected, alpha, X.shape[0], mesh
        )
        values, intercept = original_units(features, y_mean, indices, values)
        return SparseLinearModel(indices, values, intercept).dense(X.shape[1])
    shared = SHARED_SOLVERS[solver]
    n = X.shape[0]
    coef = shared(features.rows[:, :n], targets[:, :n].T, alpha)
    return LinearModel(coef, y_mean - matmul(features.mean, coef))


def solve_selected(
    solver: Solver,
    features: Design,
    targets: jax.Array,
    selected: jax.Array,
    alpha: jax.Array,
    samples: int,
    mesh: Mesh | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Runs a solver for each target on its own features.

    Returns:
        (indices (targets, k), values (targets, k)) in the units of the design.
    """

    def one_target(rows: jax.Array, mine: tuple[jax.Array, ...]) -> jax.Array:
        target, own, penalty = mine
        return solver(rows[own[0], :samples], target[:, :samples].T, penalty).T

    # One target at a time: its gathered rows stay in the cache, and LAPACK takes no batches anyway.
    return selected, map_targets(one_target, features.rows, (targets, selected, alpha), 1, mesh)


def svd_ridge(rows: jax.Array, targets: jax.Array, alpha: jax.Array) -> jax.Array:
    """Ridge by singular values; where alpha is 0, least squares of smallest norm."""
    left, sizes, right = jnp.linalg.svd(rows, full_matrices=False)
    usable = sizes > max(rows.shape) * jnp.finfo(rows.dtype).eps * sizes[0]
    sizes = jnp.where(usable, sizes, 1)[:, None]
    # s / (s^2 + alpha), without squares that could overflow.
    inverse = jnp.where(usable[:, None], 1 / (sizes + alpha / sizes), 0)
    return matmul(left, inverse * matmul(right, targets))


def gram_ridge(rows: jax.Array, targets: jax.Array, alpha: jax.Array) -> jax.Array:
    """Ridge for one common penalty (1,), by Cholesky's factor of the smaller Gram matrix.

    By singular values where that is near singular: dependent features and a small penalty.
    """
    coef, pivot = _gram_solve(rows, targets, alpha[0])
    safe = pivot > NEAR_SINGULAR * jnp.finfo(rows.dtype).eps
    return lax.cond(safe, lambda: coef, lambda: svd_ridge(rows, targets, alpha))


def gram_least_squares(rows: jax.Array, targets: jax.Array, alpha: jax.Array) -> jax.Array:
    """Least squares in the same way; `alpha` is not used."""
    return gram_ridge(rows, targets, jnp.zeros_like(alpha))


def spectral_ridge(rows: jax.Array, targets: jax.Array, alpha: jax.Array) -> jax.Array:
    """Ridge with a penalty a target, by the eigenvectors of the smaller Gram matrix.

    By singular values where a penalty is not well above that matrix's rounding errors.
    """
    dual = rows.shape[1] <= rows.shape[0]
    side = rows.T if dual else rows
    sizes, vectors = jnp.linalg.eigh(matmul(side, side.T))

    def inverse(right: jax.Array) -> jax.Array:
        weights = 1 / (jnp.maximum(sizes, 0)[:, None] + alpha)
        return matmul(vectors, weights * matmul(vectors.T, right))

    safe = sizes[0] + jnp.min(alpha) > NEAR_SINGULAR * jnp.finfo(rows.dtype).eps * sizes[-1]
    return lax.cond(
        safe,
        lambda: _refined(rows, targets, alpha, inverse, dual),
        lambda: svd_ridge(rows, targets, alpha),
    )


def _gram_solve(
    rows: jax.Array, targets: jax.Array, alpha: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """(coefficients, smallest pivot of the Gram matrix over its largest diagonal element)."""
    dual = rows.shape[1] <= rows.shape[0]
    side = rows.T if dual else rows
    gram = matmul(side, side.T)
    squares, precision = jnp.diagonal(gram), jnp.finfo(rows.dtype)
    largest = jnp.maximum(jnp.max(squares), precision.tiny)
    lift = alpha
    if dual:
        # Centred samples add up to zero, and samples that were filled in are zero: lift these
        # directions, in which the features have nothing.
        gram = gram + largest / len(gram)
        lift = alpha + largest * (squares <= jnp.square(4 * precision.eps) * largest)
    gram = gram + lift * jnp.eye(len(gram), dtype=gram.dtype)
    factor = jnp.linalg.cholesky(gram)
    coef = _refined(
        rows, targets, alpha, lambda right: jax.scipy.linalg.cho_solve((factor, True), right), dual
    )
    pivot = jnp.square(jnp.min(jnp.diagonal(factor))) / largest
    return coef, jnp.where(jnp.isfinite(pivot), pivot, 0)


def _refined(
    rows: jax.Array,
    targets: jax.Array,
    alpha: jax.Array,
    inverse: Callable[[jax.Array], jax.Array],
    dual: bool,
) -> jax.Array:
    """Solves with an inverse of the Gram matrix, then corrects by the rows' own residual.

    A Gram matrix squares the condition number; one correction computed from the rows themselves
    undoes that (corrected semi-normal equations, Bjorck 1987).
    """
    if dual:
        weights = inverse(targets)
        residual = targets - matmul(rows.T, matmul(rows, weights)) - alpha * weights
        return matmul(rows, weights + inverse(residual))
    coef = inverse(matmul(rows, targets))
    residual = matmul(rows, targets - matmul(rows.T, coef)) - alpha * coef
    return coef + inverse(residual)


SOLVERS: dict[str, Solver] = {"least_squares": gram_least_squares, "ridge": gram_ridge}
SHARED_SOLVERS: dict[str, Solver] = {"least_squares": svd_ridge, "ridge": spectral_ridge}


@jax.jit
def _univariate(X: jax.Array, Y: jax.Array) -> SparseLinearModel:
    features = design(X, standardise=True)
    targets, y_mean = centre_targets(Y)
    products = correlate(targets, features)
    indices = select_rows(f_scores(features, targets, products, X.shape[0]), 1)
    values = single_best(products, indices, X.shape[0])
    return SparseLinearModel(indices, *original_units(features, y_mean, indices, values))


def single_best(products: jax.Array, indices: jax.Array, samples: int) -> jax.Array:
    """Slopes (targets, 1) on a standardised feature, whose squared norm is the sample count."""
    return jnp.take_along_axis(products, indices, axis=1) / samples
