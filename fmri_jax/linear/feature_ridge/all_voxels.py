"""Ridge on all voxels: one factorisation for any number of units.

Predictions are sums of the training targets, Y_test = A Y with A (test rows, stimuli) from the
responses alone (the dual form; Saunders, Gammerman & Vovk 1998), so that no unit has weights of its
own: 3 million units of 11,726 voxels would need 150 GB of them.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from fmri_jax.arrays import matmul
from fmri_jax.linear.closed_form import gram_ridge, svd_ridge
from fmri_jax.linear.feature_ridge.responses import Centred, Responses
from fmri_jax.linear.left_out import decompose, left_out_error, rows_by_stimulus
from fmri_jax.linear.penalties import PENALTIES


class StimulusMap(NamedTuple):
    """What a response says about the training stimuli; the same for all units.

    Attributes:
        voxel_mean: (voxels,) what a response is counted from.
        to_stimuli: (voxels, stimuli + 1) weights on the targets' deviations from their means over
            trials, and, last, on these means: 0 unless the intercept is penalised.
        alpha: () the penalty.
        shrink: () n / (n + alpha) where the intercept is penalised, otherwise 1.
    """

    voxel_mean: Any
    to_stimuli: Any
    alpha: Any
    shrink: Any


class StimulusModel(NamedTuple):
    """Predictions of units as sums of their training targets.

    Attributes:
        voxel_mean: (voxels,).
        to_stimuli: (voxels, stimuli + 1).
        targets: (stimuli + 1, units), deviations from the mean and the mean.
        intercept: (units,).
    """

    voxel_mean: Any
    to_stimuli: Any
    targets: Any
    intercept: Any

    def weights(self, X: Any) -> jax.Array:
        """Weights (n, stimuli + 1) of the targets from responses (n, voxels)."""
        return matmul(jnp.asarray(X, self.to_stimuli.dtype) - self.voxel_mean, self.to_stimuli)

    def predict(self, X: Any) -> jax.Array:
        """Predictions (n, units) of responses (n, voxels)."""
        return matmul(self.weights(X), self.targets) + self.intercept


def penalties(alpha: Any, responses: Responses) -> np.ndarray:
    """The penalties (m,) to choose from; one where a number is given.

    'loo' stands for those of `fmri_jax.linear.penalties` times the mean eigenvalue of the trials'
    Gram matrix.
    """
    if isinstance(alpha, str):
        total = np.square(responses.length, dtype=np.float64).sum()
        return np.asarray(PENALTIES) * (total / len(responses.rows) or 1)
    return np.atleast_1d(np.asarray(alpha, np.float64))


def fit_map(
    responses: Responses, alpha: Any, moment: Any = None, penalise_intercept: bool = False
) -> StimulusMap:
    """Solves for all stimuli, and chooses the penalty where there are several.

    Args:
        responses: of `prepare`.
        alpha: see `penalties`.
        moment: (stimuli, stimuli) of `second_moment`, where a penalty is to be chosen.
        penalise_intercept: whether the penalty is also on the intercept, as in fastl2lir.
    """
    choices = penalties(alpha, responses)
    spread = responses.indicator().toarray() - (responses.repeats / len(responses.rows))
    spread, shrink = spread.astype(np.float32), np.float32(1)
    if len(choices) > 1:
        groups = rows_by_stimulus(responses.group)
        chosen, to_stimuli = _choose(
            responses.rows, spread, moment, groups, choices.astype(np.float32)
        )
        to_stimuli = np.pad(to_stimuli, ((0, 0), (0, 1)))
    elif penalise_intercept:
        chosen, n = choices[0], len(responses.rows)
        shrink = np.float32(n / (n + chosen))
        to_stimuli = _with_intercept(responses, spread, np.float32(chosen), shrink)
    else:
        chosen = choices[0]
        to_stimuli = _ridge(responses.rows.T, spread, choices.astype(np.float32))
        to_stimuli = np.pad(to_stimuli, ((0, 0), (0, 1)))
    origin = responses.mean if responses.standardise else shrink * responses.mean
    return StimulusMap(origin, to_stimuli / responses.scale[:, None], np.float32(chosen), shrink)


_ridge, _svd_ridge = jax.jit(gram_ridge), jax.jit(svd_ridge)


def _with_intercept(
    responses: Responses, spread: np.ndarray, alpha: np.float32, shrink: np.float32
) -> jax.Array:
    """(voxels, stimuli + 1) with the row that stands for the intercept (see `responses`)."""
    weight = np.sqrt(shrink * alpha)
    rows = np.concatenate([responses.rows, weight * responses.means[None]])
    right = np.pad(spread, ((0, 1), (0, 1)))
    right[-1, -1] = weight
    # The Gram matrix of trials is solved as that of centred ones, which this row is not.
    solver = _ridge if rows.shape[0] > rows.shape[1] else _svd_ridge
    return solver(rows.T, right, np.reshape(alpha, 1))


@jax.jit
def _choose(
    rows: jax.Array, spread: jax.Array, moment: jax.Array, groups: jax.Array, choices: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """(penalty of the smallest error on stimuli left out, voxels -> stimuli with it)."""
    left, variance, right = decompose(rows)
    error = left_out_error(left, variance, groups, spread, moment)
    alpha = choices[jnp.argmin(jax.lax.map(error, choices))]
    shares = right * (jnp.sqrt(variance) / (variance + alpha))
    return alpha, matmul(shares, matmul(left.T, spread))


def second_moment(values: np.ndarray, responses: Responses, mesh: Mesh | None = None) -> np.ndarray:
    """Y @ Y.T (stimuli, stimuli) of a block of targets (stimuli, units), less their means.

    With a mesh each device sums over its share of the units.
    """
    centred = responses.centre(values).values
    if mesh is None:
        return centred @ centred.T
    filling = -centred.shape[1] % mesh.shape["data"]
    return np.asarray(_moment(np.pad(centred, ((0, 0), (0, filling))), mesh))


@functools.partial(jax.jit, static_argnames="mesh")
def _moment(centred: jax.Array, mesh: Mesh) -> jax.Array:
    def on_one_device(mine: jax.Array) -> jax.Array:
        return jax.lax.psum(matmul(mine, mine.T), "data")

    split = PartitionSpec(None, "data")
    return jax.shard_map(on_one_device, mesh=mesh, in_specs=split, out_specs=PartitionSpec())(
        centred
    )


def model_of(map_: StimulusMap, targets: Centred) -> StimulusModel:
    """The map with the targets of a block, whose predictions are sums of them."""
    rows = np.concatenate([targets.values, targets.mean[None]]).astype(np.float32)
    intercept = (targets.origin + map_.shrink * targets.mean).astype(np.float32)
    return StimulusModel(map_.voxel_mean, map_.to_stimuli, rows, intercept)
