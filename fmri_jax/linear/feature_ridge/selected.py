"""Ridge on each unit's own voxels: those that correlate best with it.

As published (Shen, Horikawa, Majima & Kamitani 2019, PLoS Comput Biol 15:e1006633) and as fastl2lir
0.11 solves it: of all voxels the k of largest |Pearson r| over the training trials, and one penalty
on their weights and the intercept's. All units share one Gram matrix of the voxels; each takes its
k x k part of it. On CPUs blocks of units are solved by LAPACK in as many threads as there are
cores, on other devices, or on a mesh, by one batched program.
"""

import concurrent.futures
import functools
import math
import os
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import threadpoolctl
from jax.sharding import Mesh

from fmri_jax.arrays import matmul
from fmri_jax.linear.feature_ridge.lapack import solve_positive
from fmri_jax.linear.feature_ridge.responses import Centred, Responses
from fmri_jax.linear.model import SparseLinearModel
from fmri_jax.linear.selection import select_rows
from fmri_jax.linear.target_batches import map_targets

TOGETHER, GATHERED = 512, 2**29  # units solved together, and bytes of their Gram matrices at most
# A squared pivot below this share of the largest diagonal element: float32 does not do.
NEAR_SINGULAR = 1e3 * np.finfo(np.float32).eps


class Problem(NamedTuple):
    """The normal equations that all units share.

    Attributes:
        responses: the training responses.
        gram: (voxels, voxels) float32, of the rows, with the intercept's row and the penalty.
        alpha: the penalty.
        k: voxels per unit, fewer than there are.
    """

    responses: Responses
    gram: Any
    alpha: float
    k: int

    @property
    def shrink(self) -> float:
        """n / (n + alpha), by which the penalty shrinks an intercept of n trials."""
        n = len(self.responses.rows)
        return n / (n + self.alpha)

    def pull(self, targets: Centred) -> np.ndarray:
        """(units,) what each unit's mean adds to the right side, times the voxels' means."""
        return (self.shrink * self.alpha * targets.mean).astype(np.float32)


def pose(responses: Responses, k: int, alpha: float, mesh: Mesh | None = None) -> Problem:
    """Computes the Gram matrix of all voxels."""
    rows, means = responses.rows, responses.means
    n = len(rows)
    kappa = np.float32(n * alpha / (n + alpha))
    if on_host(mesh):
        gram = rows.T @ rows  # NumPy computes half of it and mirrors it
        gram += kappa * means[:, None] * means
        gram.flat[:: len(gram) + 1] += np.float32(alpha)
        return Problem(responses, gram, alpha, k)
    return Problem(responses, _gram(rows, means, kappa, alpha), alpha, k)


@jax.jit
def _gram(rows: jax.Array, means: jax.Array, kappa: jax.Array, alpha: jax.Array) -> jax.Array:
    gram = matmul(rows.T, rows) + kappa * means[:, None] * means
    return gram + alpha * jnp.eye(len(means), dtype=gram.dtype)


def on_host(mesh: Mesh | None) -> bool:
    """Whether LAPACK solves: on a CPU that is not split into several devices."""
    return mesh is None and jax.default_backend() == "cpu"


def solve(problem: Problem, values: np.ndarray, mesh: Mesh | None = None) -> SparseLinearModel:
    """The voxels and coefficients of a block of units.

    Args:
        problem: of `pose`.
        values: (stimuli, units) float32 targets.
        mesh: mesh with an axis 'data' that the units are split over.

    Returns:
        NumPy arrays; indices (units, k) rise. Of voxels that correlate equally the later is taken,
        a constant voxel only after all that vary. A unit that is constant has coefficients 0.
    """
    if not on_host(mesh):
        return _solve_on_devices(problem, values, mesh)
    together = max(1, min(TOGETHER, GATHERED // (4 * problem.k**2)))
    parts = np.array_split(values, math.ceil(values.shape[1] / together), axis=1)
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    one_each = threadpoolctl.ThreadpoolController().limit(limits=1, user_api="blas")
    room = np.empty((parts[0].shape[1], problem.k, problem.k), np.float32)
    with one_each, concurrent.futures.ThreadPoolExecutor(workers) as pool:
        solved = [_solve_on_host(problem, part, room, pool.map) for part in parts]
    return joined(solved)


def joined(parts: list[SparseLinearModel]) -> SparseLinearModel:
    """One model of the units of several."""
    return SparseLinearModel(*(np.concatenate(a) for a in zip(*parts, strict=True)))  # type: ignore[arg-type]


def _solve_on_host(
    problem: Problem, values: np.ndarray, own: np.ndarray, in_threads: Any
) -> SparseLinearModel:
    """Correlates and selects, gathers the parts of the Gram matrix, and solves, each in threads."""
    targets, k = problem.responses.centre(values), problem.k
    units, voxels = values.shape[1], len(problem.gram)
    chosen, right = np.empty((units, k), np.intp), np.empty((units, k), np.float32)
    coef = np.zeros((units, k), np.float32)

    def choose(part: slice) -> None:
        products, scores = _correlate(problem, targets, part)
        for unit, score, product in zip(range(units)[part], scores, products, strict=True):
            chosen[unit] = best(score, k)
            right[unit] = product[chosen[unit]]

    def gather(part: slice) -> None:
        # Row by row of the Gram matrix, for all units that want it: unit by unit, nearly each of
        # the k x k numbers would be read from memory of its own.
        for row in range(voxels)[part]:
            places = order[ends[row] : ends[row + 1]]
            wanted = problem.gram[row].take(chosen[places // k], mode="wrap")  # the fastest mode
            own.reshape(-1, k)[places] = wanted

    def solve_some(part: slice) -> None:
        for unit in np.arange(units)[part][targets.alive[part]]:
            coef[unit] = _factorise(problem, targets, unit, chosen[unit], own[unit], right[unit])

    list(in_threads(choose, _slices(units, 64)))
    order = np.argsort(chosen, axis=None, kind="stable")
    ends = np.searchsorted(chosen.ravel()[order], np.arange(voxels + 1))
    list(in_threads(gather, _slices(voxels, 256)))
    list(in_threads(solve_some, _slices(units, 16)))
    chosen[~targets.alive] = np.arange(k)
    return _recorded_units(problem, targets, chosen.astype(np.int32), coef)


def _slices(n: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, n, size)]


def _correlate(problem: Problem, targets: Centred, part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Right sides of the normal equations, and |r| up to a factor; both (units, voxels)."""
    responses = problem.responses
    products = targets.values[:, part].T @ responses.sums
    scores = np.abs(products) * _per_length(responses)
    scores[:, responses.length == 0] = -1
    products += np.outer(problem.pull(targets)[part], responses.means)
    return products, scores


def _factorise(
    problem: Problem,
    targets: Centred,
    unit: Any,
    chosen: np.ndarray,
    own: np.ndarray,
    right: np.ndarray,
) -> np.ndarray:
    """Coefficients (k,) by Cholesky's factor, which overwrites `own`, as they do `right`."""
    largest = own.diagonal().max()
    solved = solve_positive(own, right)
    if solved and own.diagonal().min() ** 2 >= NEAR_SINGULAR * largest:
        return right
    return solve_exactly(problem, chosen, targets, unit)


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices (k,) of the largest scores in rising order; of equal scores the later are taken."""
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    chosen = scores >= least
    if surplus := np.count_nonzero(chosen) - k:
        chosen[np.flatnonzero(scores == least)[:surplus]] = False
    return np.flatnonzero(chosen)


def solve_exactly(problem: Problem, chosen: np.ndarray, targets: Centred, unit: Any) -> np.ndarray:
    """Coefficients (k,) of one unit in float64, where dependent voxels meet a small penalty."""
    responses, kappa = problem.responses, problem.shrink * problem.alpha
    rows = responses.rows[:, chosen].astype(np.float64)
    means = responses.means[chosen].astype(np.float64)
    right = rows.T @ targets.values[responses.group, unit] + kappa * targets.mean[unit] * means
    sizes, vectors = np.linalg.eigh(rows.T @ rows + kappa * np.outer(means, means))
    return vectors @ ((vectors.T @ right) / (np.maximum(sizes, 0) + problem.alpha))


def _solve_on_devices(problem: Problem, values: np.ndarray, mesh: Mesh | None) -> SparseLinearModel:
    responses, k = problem.responses, problem.k
    targets = responses.centre(values)
    shared = (problem.gram, responses.sums, _per_length(responses), responses.means)
    per_unit = (targets.values.T, problem.pull(targets))
    indices, coef, pivot = map(np.array, _batched(shared, per_unit, k, mesh))
    indices[~targets.alive], coef[~targets.alive] = np.arange(k), 0
    for unit in np.flatnonzero(targets.alive & ~(pivot >= NEAR_SINGULAR)):
        coef[unit] = solve_exactly(problem, indices[unit], targets, unit)
    return _recorded_units(problem, targets, indices, coef)


@functools.partial(jax.jit, static_argnames=("k", "mesh"))
def _batched(shared: Any, per_unit: Any, k: int, mesh: Mesh | None) -> Any:
    """(indices, coefficients, smallest pivot over largest diagonal element) of all units."""

    def solve_some(shared: Any, mine: Any) -> Any:
        gram, sums, per_length, means = shared
        targets, pull = mine
        products = matmul(targets, sums)
        scores = jnp.where(per_length > 0, jnp.abs(products) * per_length, -1)
        indices = jnp.sort(select_rows(scores, k), axis=1)
        products += pull[:, None] * means
        own = gram[indices[:, :, None], indices[:, None, :]]
        factor = jnp.linalg.cholesky(own)
        right = jnp.take_along_axis(products, indices, axis=1)
        coef = jax.scipy.linalg.cho_solve((factor, True), right[..., None])[..., 0]
        diagonal = jnp.diagonal(factor, axis1=1, axis2=2)
        largest = jnp.max(jnp.diagonal(own, axis1=1, axis2=2), axis=1)
        return indices, coef, jnp.square(jnp.min(diagonal, axis=1)) / largest

    return map_targets(solve_some, shared, per_unit, TOGETHER // 4, mesh)


def _per_length(responses: Responses) -> np.ndarray:
    length = responses.length
    return np.where(length > 0, 1 / np.where(length > 0, length, 1), 0).astype(np.float32)


def _recorded_units(
    problem: Problem, targets: Centred, indices: Any, coef: Any
) -> SparseLinearModel:
    """Coefficients of the responses as they were recorded, and the intercepts."""
    responses = problem.responses
    seen = np.sum(coef * responses.means[indices], axis=1, dtype=np.float64)
    intercept: Any = targets.origin + problem.shrink * (targets.mean - seen)
    coef = coef / responses.scale[indices]
    if responses.standardise:
        intercept -= np.sum(coef * responses.mean[indices], axis=1, dtype=np.float64)
    return SparseLinearModel(indices, coef, intercept.astype(np.float32))
