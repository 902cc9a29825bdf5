"""Bayesian ridge regression: the data choose each target's penalty by its evidence.

With noise precision alpha and weight precision lambda, the weights are those of ridge regression
with penalty lambda / alpha, and MacKay's (1992) fixed-point iteration updates both:

    gamma = sum_i s_i / (s_i + lambda / alpha)              effective number of weights
    lambda = (gamma + 2 a) / (|w|^2 + 2 a),  alpha = (n - gamma + 2 a) / (|y - X w|^2 + 2 a)

with s the eigenvalues of X^T X and a the parameter of the two Gamma priors. In the eigenvectors'
coordinates an iteration costs one product of (targets, rank) by (rank, features), so all targets
that share their features share one singular value decomposition.

Features and targets are solved in units u and v of their own, so that float32 holds the squares of
very small or large ones. In these units the rates 2 a are 2 a u^2 / v^2 and 2 a / v^2.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh

from fmri_jax.arrays import matmul
from fmri_jax.errors import InputError
from fmri_jax.linear.design import centre_targets, check, design, original_units, power_of_two
from fmri_jax.linear.model import LinearModel, SparseLinearModel
from fmri_jax.linear.target_batches import block_size, for_solving, map_targets


class Evidence(NamedTuple):
    """When to stop, and how informative the Gamma priors are (scikit-learn's defaults)."""

    max_iter: int = 300
    tol: float = 1e-3  # summed absolute change of a target's weights
    prior: float = 1e-6  # shape and rate of both Gamma priors


def bayesian_ridge(
    X: Any,
    Y: Any,
    selected: Any = None,
    *,
    max_iter: int = 300,
    tol: float = 1e-3,
    prior: float = 1e-6,
    block: int | None = None,
    mesh: Mesh | None = None,
) -> LinearModel:
    """Bayesian ridge regression with intercept, one noise and one weight precision per target.

    Args:
        X: (samples, features); centred here, not scaled.
        Y: (samples, targets).
        selected: (targets, k) features that each target may use; None for all.
        max_iter: most evidence iterations.
        tol: a target stops once its weights change by less than this, in sum of absolutes.
        prior: shape and rate of the Gamma priors of both precisions.
        block: targets solved together where each has its own features.
        mesh: mesh with an axis 'data' over which targets with their own features are split.

    Returns:
        `coef` (features, targets) and `intercept` (targets,), as scikit-learn's `BayesianRidge`.

    Raises:
        InputError: arrays that do not fit each other, max_iter below 1, a negative tol or prior.
    """
    X, Y, selected = check(X, Y, selected)
    if max_iter < 1 or tol < 0 or prior < 0:
        raise InputError(
            f"max_iter is {max_iter}, tol {tol} and prior {prior}: "
            "expected at least one iteration and no negative number."
        )
    k = X.shape[1] if selected is None else selected.shape[1]
    block = block_size(Y.shape[1], evidence_bytes(X.shape[0], k), block)
    mesh = for_solving(mesh)
    return _bayesian_ridge(X, Y, selected, Evidence(max_iter, tol, prior), block, mesh)


def evidence_bytes(samples: int, k: int) -> int:
    """Working memory of one target with k features of its own."""
    return 4 * (2 * k * samples + 5 * min(samples, k) ** 2)


@functools.partial(jax.jit, static_argnames=("block", "mesh"))
def _bayesian_ridge(X, Y, selected, evidence: Evidence, block: int, mesh: Mesh | None):
    n = X.shape[0]
    features = design(X, standardise=False, one_unit=True)
    targets, y_mean = centre_targets(Y)
    if selected is None:
        v = target_units(targets)
        spectrum = shared_spectrum(features.rows[:, :n], (targets / v[:, None])[:, :n])
        weights = maximise(spectrum, n, evidence, features.scale[0], v)
        coef = weights.T * v / features.scale[:, None]
        return LinearModel(coef, y_mean - matmul(features.mean, coef))

    def solve(shared, mine):
        rows, u = shared
        return solve_own(rows, mine[0], mine[1], n, evidence, u)

    shared = (features.rows, features.scale[0])
    values = map_targets(solve, shared, (targets, selected), block, mesh)
    values, intercept = original_units(features, y_mean, selected, values)
    return SparseLinearModel(selected, values, intercept).dense(X.shape[1])


def solve_own(
    rows: jax.Array,
    targets: jax.Array,
    selected: jax.Array,
    samples: int,
    evidence: Evidence,
    u: jax.Array | float = 1.0,
) -> jax.Array:
    """Weights (targets, k) where each target has its own features (targets, k), in units u."""
    v = target_units(targets)
    spectra = own_spectra(rows[selected, :samples], (targets / v[:, None])[:, :samples])
    return maximise(spectra, samples, evidence, u, v) * v[:, None]


def target_units(targets: jax.Array) -> jax.Array:
    """(targets,) powers of two; at least 1e-15, below which the priors outweigh any square."""
    return jnp.maximum(power_of_two(jnp.max(jnp.abs(targets), axis=1)), 2.0**-50)


class Spectrum(NamedTuple):
    """A regression problem in the coordinates of its singular vectors.

    Attributes:
        sizes: (t or 1, r) squared singular values s.
        along: (t, r) components c of the targets along the left singular vectors.
        outside: (t,) squared norm of the targets outside them.
        basis: (r, features), or (t, r, features) with features of its own for each target: weights
            for the penalty p are (c / (s + p)) @ basis.
    """

    sizes: jax.Array
    along: jax.Array
    outside: jax.Array
    basis: jax.Array

    def weights(self, penalty: jax.Array) -> jax.Array:
        """Ridge weights (t, features) for penalties (t,)."""
        scaled = self.along / (self.sizes + penalty[:, None])
        if self.basis.ndim == 2:
            return matmul(scaled, self.basis)
        return matmul(scaled[:, None], self.basis)[:, 0]


def shared_spectrum(rows: jax.Array, targets: jax.Array) -> Spectrum:
    """Of rows (features, n) that all targets (t, n) share, by singular value decomposition."""
    right, sizes, left = jnp.linalg.svd(rows, full_matrices=False)
    along = matmul(targets, left.T)
    outside = jnp.sum(jnp.square(targets - matmul(along, left)), axis=1)
    return Spectrum(jnp.square(sizes)[None], along, outside, sizes[:, None] * right.T)


def own_spectra(rows: jax.Array, targets: jax.Array) -> Spectrum:
    """Of rows (t, k, n) for targets (t, n), by the eigenvectors of the smaller Gram matrix.

    A Gram matrix loses singular values below sqrt(eps) of the largest; those are below every
    penalty that the evidence chooses for noisy data.
    """
    k, n = rows.shape[1:]
    if n <= k:
        sizes, vectors = jnp.linalg.eigh(matmul(rows.mT, rows))
        along = matmul(targets[:, None], vectors)[:, 0]
        basis = matmul(rows, vectors).mT
        return Spectrum(jnp.maximum(sizes, 0), along, jnp.zeros_like(along[:, 0]), basis)
    sizes, vectors = jnp.linalg.eigh(matmul(rows, rows.mT))
    noise = k * jnp.finfo(rows.dtype).eps * sizes[:, -1:]
    root = jnp.sqrt(jnp.maximum(sizes, noise))
    usable = (sizes > noise) & (root > 0)
    products = matmul(matmul(rows, targets[..., None]).mT, vectors)[:, 0]
    along = jnp.where(usable, products / jnp.where(usable, root, 1), 0)
    inside = matmul(vectors, jnp.where(usable, along / root, 0)[..., None])
    outside = jnp.sum(jnp.square(targets - matmul(rows.mT, inside)[..., 0]), axis=1)
    sizes = jnp.where(usable, sizes, 0)
    return Spectrum(sizes, along, outside, jnp.sqrt(sizes)[..., None] * vectors.mT)


class _State(NamedTuple):
    iteration: jax.Array
    penalty: jax.Array  # (t,) lambda / alpha
    coef: jax.Array  # (t, features) weights of the previous iteration
    active: jax.Array  # (t,) bool, not yet converged


def maximise(
    problem: Spectrum, samples: int, evidence: Evidence, u: jax.Array | float, v: jax.Array
) -> jax.Array:
    """Weights (t, features) at the precisions where the evidence iteration stops.

    Args:
        problem: the targets in singular coordinates.
        samples: n, which may exceed the number of singular values.
        evidence: stopping rule and prior, in the units of the data.
        u: unit of the problem's features.
        v: (t,) units of its targets.

    Returns:
        Weights in units of v / u.
    """
    rank, dtype = problem.along.shape[1], problem.along.dtype
    precision = jnp.finfo(dtype)
    # Where JAX keeps 64 bits, numbers from outside are float64, and would make the state float64.
    two = jnp.asarray(2 * evidence.prior, dtype)
    ratio = jnp.minimum(u / v, jnp.sqrt(precision.max))
    tol = jnp.asarray(evidence.tol, dtype) * ratio
    # A penalty below the rounding of the largest s is none.
    least = jnp.maximum(precision.eps**2 * jnp.max(problem.sizes, axis=1), precision.tiny)

    def iterate(state: _State) -> _State:
        coef = problem.weights(state.penalty)
        total = problem.sizes + state.penalty[:, None]
        left_over = state.penalty[:, None] / total  # 1 - shrinkage
        effective = jnp.sum(problem.sizes / total, axis=1)
        error = jnp.sum(jnp.square(left_over * problem.along), axis=1) + problem.outside
        square = jnp.sum(jnp.square(coef), axis=1)
        # n - gamma, summed rather than subtracted: it is small where there are few trials.
        free = samples - rank + jnp.sum(left_over, axis=1)
        noise = (error + two / v / v) / (free + two)  # 1 / alpha
        weight = (square + two * ratio * ratio) / (effective + two)  # 1 / lambda
        penalty = noise / jnp.maximum(weight, precision.tiny)
        settled = jnp.sum(jnp.abs(coef - state.coef), axis=1) < tol
        return _State(
            state.iteration + 1,
            jnp.where(state.active, jnp.clip(penalty, least, precision.max), state.penalty),
            coef,
            state.active & ~(settled & (state.iteration > 0)),
        )

    variance = (jnp.sum(jnp.square(problem.along), axis=1) + problem.outside) / samples
    # The first precisions: 1 of the weights, 1 / (variance + eps) of the noise.
    first = variance * jnp.square(v / u) + float(jnp.finfo(jnp.float64).eps) / u / u
    start = _State(
        iteration=jnp.int32(0),
        penalty=jnp.clip(first, least, precision.max),
        coef=jnp.zeros((len(v), problem.basis.shape[-1]), dtype),
        active=jnp.ones(len(v), bool),
    )
    end = lax.while_loop(
        lambda s: (s.iteration < evidence.max_iter) & jnp.any(s.active), iterate, start
    )
    return problem.weights(end.penalty)
