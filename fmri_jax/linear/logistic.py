"""Sparse logistic regression: a precision for every weight, so that useless voxels drop out.

Automatic relevance determination as in the local decoders of Miyawaki et al. (2008, Neuron 60),
by the variational bound that Yamashita et al. (2008, NeuroImage 42) call SLR-VAR. With
omega_n = m tanh(xi_n / 2) / (2 xi_n) (Jaakkola & Jordan 2000), one iteration is

    S = (diag(alpha) + X^T diag(omega) X)^-1,   w = S X^T m (y - 1/2)
    xi_n^2 = x_n^T (S + w w^T) x_n,             alpha_d = (1 - alpha_d S_dd) / w_d^2

Miyawaki et al. classify the levels of a patch's mean contrast by a multinomial model. Here the mean
y of m binary pixels is a binomial proportion: one weight vector for each element, whose probability
is the predicted contrast. With m = 1 this is their binary decoder.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh

from fmri_jax.arrays import einsum
from fmri_jax.errors import InputError
from fmri_jax.linear.design import check, design, original_units
from fmri_jax.linear.model import LinearModel, SparseLinearModel
from fmri_jax.linear.target_batches import block_size, for_solving, map_targets

PRUNED = 1e8  # a weight of a larger precision counts as zero
OFFSET_PRECISION = 0.01  # of the intercept, in logits: a prior deviation of 10
FEWEST = 8  # features from which on dropping more would save nothing
TOGETHER = 64  # targets a block: they wait for the slowest, and fit a processor's cache


class LogisticModel(NamedTuple):
    """Probabilities of every target; a pytree that also unpacks as (coef, intercept).

    Attributes:
        coef: (features, targets) logits a unit of the feature.
        intercept: (targets,) logits.
    """

    coef: jax.Array
    intercept: jax.Array

    def predict(self, X: jax.Array) -> jax.Array:
        """Expected targets (samples, targets) in [0, 1] for `X` (samples, features)."""
        return jax.nn.sigmoid(LinearModel(*self).predict(X))


def sparse_logistic(
    X: Any,
    Y: Any,
    selected: Any = None,
    *,
    trials: Any = 1,
    max_iter: int = 100,
    tol: float = 1e-3,
    block: int | None = None,
    mesh: Mesh | None = None,
) -> LogisticModel:
    """Logistic regression with automatic relevance determination of every weight.

    The time grows with the cube of the features a target has: choose some by `select(f_test(...))`.

    Args:
        X: (samples, features); standardised here.
        Y: (samples, targets) in [0, 1]: labels, or proportions of `trials`.
        selected: (targets, k) features that each target may use; None for all.
        trials: m, binary outcomes behind a target's value; a number or (targets,).
        max_iter: most iterations.
        tol: a target stops once no weight changes by more than this, in logits a deviation.
        block: targets solved together; by default `TOGETHER`, or as many as half a GiB holds.
        mesh: mesh with an axis 'data' that the targets are split over; None for one device.

    Returns:
        `coef` (features, targets), exactly zero for pruned features, and `intercept` (targets,),
        both for the features as given.

    Raises:
        InputError: arrays that do not fit each other, targets outside [0, 1], no positive count.
    """
    X, Y, selected = check(X, Y, selected)
    if not isinstance(Y, jax.core.Tracer) and (jnp.min(Y) < 0 or jnp.max(Y) > 1):
        raise InputError(
            f"Y goes from {jnp.min(Y)} to {jnp.max(Y)}: expected labels or proportions in [0, 1]."
        )
    if np.shape(trials) not in ((), Y.shape[1:]) or max_iter < 1 or tol < 0:
        raise InputError(
            f"trials has shape {np.shape(trials)}, max_iter is {max_iter}, tol {tol}: expected one "
            f"count or ({Y.shape[1]},), at least one iteration and no negative tolerance."
        )
    if not isinstance(trials, jax.core.Tracer) and not np.all(np.asarray(trials) > 0):
        raise InputError(
            f"trials goes down to {np.min(trials)}: expected positive counts of binary outcomes."
        )
    trials = jnp.broadcast_to(jnp.asarray(trials, Y.dtype), Y.shape[1:])
    if selected is None:
        everything = jnp.arange(X.shape[1], dtype=jnp.int32)
        selected = jnp.broadcast_to(everything, (Y.shape[1], X.shape[1]))
    k = selected.shape[1]
    fitting = block_size(Y.shape[1], 4 * (4 * k * X.shape[0] + 6 * k * k), block)
    block = fitting if block else min(fitting, TOGETHER)
    mesh = for_solving(mesh)
    return _sparse_logistic(X, Y, selected, trials, max_iter, tol, block, mesh)


@functools.partial(jax.jit, static_argnames=("block", "mesh"))
def _sparse_logistic(X, Y, selected, trials, max_iter, tol, block: int, mesh: Mesh | None):
    n = X.shape[0]
    features = design(X, standardise=True)

    def solve(shared, mine):
        rows, max_iter, tol = shared
        targets, own, count = mine
        offset = jnp.ones((len(own), 1, n), rows.dtype)
        return _relevance(
            jnp.concatenate([rows[own, :n], offset], axis=1), targets, count, max_iter, tol
        )

    shared = (features.rows, max_iter, tol)
    weights = map_targets(solve, shared, (Y.T, selected, trials), block, mesh)
    values, intercept = original_units(features, weights[:, -1], selected, weights[:, :-1])
    return LogisticModel(*SparseLinearModel(selected, values, intercept).dense(X.shape[1]))


class _State(NamedTuple):
    iteration: jax.Array
    precision: jax.Array  # (t, k) alpha
    xi: jax.Array  # (t, n)
    weights: jax.Array  # (t, k)
    change: jax.Array  # (t,) largest change of a weight


def _relevance(
    rows: jax.Array,
    targets: jax.Array,
    trials: jax.Array,
    max_iter: jax.Array,
    tol: jax.Array,
) -> jax.Array:
    """Weights (t, k) for rows (t, k, n), the last of them the constant offset.

    The time of an iteration grows with the square of the features. Most are pruned early: as soon
    as no target has more than half of its features left, the others are dropped from the arrays.
    """
    t, k, n = rows.shape
    moment = einsum("tkn,tn->tk", rows, trials[:, None] * (targets - 0.5))
    state = _State(
        iteration=jnp.int32(0),
        precision=jnp.ones((t, k), rows.dtype).at[:, -1].set(OFFSET_PRECISION),
        xi=jnp.ones((t, n), rows.dtype),
        weights=jnp.zeros((t, k), rows.dtype),
        change=jnp.full(t, jnp.inf, rows.dtype),
    )
    places = jnp.broadcast_to(jnp.arange(k), (t, k))
    weights = jnp.zeros((t, k), rows.dtype)
    while True:
        half = -(-rows.shape[1] // 2)
        last = half < FEWEST
        state = _loop(rows, moment, trials, state, max_iter, tol, 0 if last else half)
        # All are written down: if the loop ended for another reason, nothing changes any more.
        useful = jnp.where(state.precision >= PRUNED, 0, state.weights)
        weights = jnp.put_along_axis(weights, places, useful, axis=1, inplace=False)
        if last:
            return weights
        rows, moment, places, state = _drop_pruned(rows, moment, places, state, half)


def _loop(
    rows: jax.Array,
    moment: jax.Array,
    trials: jax.Array,
    state: _State,
    max_iter: jax.Array,
    tol: jax.Array,
    enough: int,
) -> _State:
    """Iterates until all targets settle, or until none has more than `enough` features left."""

    def running(state: _State) -> jax.Array:
        left = jnp.sum(state.precision < PRUNED, axis=1)
        unsettled = jnp.any(state.change > tol)
        return (state.iteration < max_iter) & unsettled & jnp.any(left > enough)

    def iterate(state: _State) -> _State:
        new = _iterate(rows, moment, trials, state)
        settled = state.change <= tol  # waits for the others, unchanged

        def keep(old: jax.Array, new: jax.Array) -> jax.Array:
            return jnp.where(settled.reshape((-1,) + (1,) * (new.ndim - 1)), old, new)

        kept = jax.tree.map(keep, state[1:], new[1:])
        return _State(new.iteration, *kept)

    return lax.while_loop(running, iterate, state)


def _drop_pruned(
    rows: jax.Array, moment: jax.Array, places: jax.Array, state: _State, size: int
) -> tuple[jax.Array, jax.Array, jax.Array, _State]:
    """Keeps the `size` features of least precision, the offset last among them."""
    t, k = moment.shape
    _, kept = lax.top_k(-state.precision[:, :-1], size - 1)
    kept = jnp.concatenate([kept, jnp.full((t, 1), k - 1)], axis=1)

    def take(values: jax.Array) -> jax.Array:
        return jnp.take_along_axis(values, kept, axis=1)

    smaller = state._replace(precision=take(state.precision), weights=take(state.weights))
    rows = jnp.take_along_axis(rows, kept[..., None], axis=1)
    return rows, take(moment), take(places), smaller


def _iterate(rows: jax.Array, moment: jax.Array, trials: jax.Array, state: _State) -> _State:
    """One round of posterior, bound and precisions."""
    half = state.xi / 2
    small = half < 1e-3  # tanh(x) / x tends to 1 at 0
    omega = trials[:, None] / 4 * jnp.where(small, 1, jnp.tanh(half) / jnp.where(small, 1, half))
    # In units of the prior deviations the posterior precision is I + E: well conditioned, although
    # the prior precisions span many orders of magnitude.
    deviation = lax.rsqrt(state.precision)
    scaled = rows * deviation[..., None]
    information = einsum("tkn,tln->tkl", scaled * omega[:, None], scaled)
    identity = jnp.broadcast_to(jnp.eye(rows.shape[1], dtype=rows.dtype), information.shape)
    factor = jnp.linalg.cholesky(information + identity)
    root = lax.linalg.triangular_solve(factor, identity, left_side=True, lower=True)
    covariance = einsum("tik,til->tkl", root, root)
    weights = deviation * einsum("tkl,tl->tk", covariance, deviation * moment)
    uncertain = jnp.sum(jnp.square(einsum("tik,tkn->tin", root, scaled)), axis=1)  # x^T S x
    xi = jnp.sqrt(uncertain + jnp.square(einsum("tkn,tk->tn", rows, weights)))
    # 1 - alpha S_dd = diag((I + E)^-1 E), without the cancellation of the difference.
    determined = jnp.maximum(jnp.sum(covariance * information, axis=2), 0)
    square = jnp.square(weights)
    useless = (square * PRUNED <= determined) | (state.precision >= PRUNED)
    precision = jnp.where(useless, PRUNED, determined / jnp.where(useless, 1, square))
    return _State(
        iteration=state.iteration + 1,
        precision=precision.at[:, -1].set(OFFSET_PRECISION),
        xi=xi,
        weights=weights,
        change=jnp.max(jnp.abs(weights - state.weights), axis=1),
    )
