"""Orthogonal matching pursuit of all targets at once.

Each step takes, for every target, the feature (atom) that correlates most with the target's
residual, and projects the residual off it (Mallat & Zhang 1993; Pati et al. 1993).

Where the time goes, at the size of nilearn's Miyawaki example (n = 1,320 trials, p = 5,438 voxels,
t = 361 targets, 500 voxels per target, 10 atoms):

- correlations as one product (t, n) x (n, p) a step: 5.2 GFLOP, and the voxels' 29 MB are read once
  for all targets. The first product also is the F-test, the last step needs none: 52 GFLOP in all,
  which `proposals` makes cheaper where bfloat16 is;
- correlations with only the 500 chosen voxels of a target: 0.48 GFLOP a step, but 361 matrix-vector
  products that read 953 MB; at a cache bandwidth of 40 GB/s as long as the product takes, and the
  gathered matrices have to be written first;
- columns of the Gram matrix: X^T X is 78 GFLOP before the first step, but those of a target's 16
  likely atoms with its 500 voxels are 7.6 GFLOP for all targets, and gather once: `lookahead`.

So the last on a CPU where a target may use few of the voxels, the first on accelerators and where
it may use many. Neither changes a choice.

Two atoms whose correlations agree to about 2e-7 of |atom| |residual| (float32; 4e-16 in float64)
are a tie that rounding decides; of exact duplicates the lower index is taken.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from fmri_jax.errors import InputError
from fmri_jax.linear.design import centre_targets, check, design, original_units
from fmri_jax.linear.matching_pursuit.candidates_bf16 import CANDIDATES, dictionary_of
from fmri_jax.linear.matching_pursuit.candidates_gram import AHEAD, worthwhile
from fmri_jax.linear.matching_pursuit.steps import pursue
from fmri_jax.linear.model import LinearModel, SparseLinearModel
from fmri_jax.linear.selection import correlate
from fmri_jax.linear.target_batches import block_size, map_targets


def omp(
    X: Any,
    Y: Any,
    n_nonzero: int | None = None,
    tol: float | None = None,
    selected: Any = None,
    *,
    block: int | None = None,
    mesh: Mesh | None = None,
) -> LinearModel:
    """Orthogonal matching pursuit with intercept, as scikit-learn's `OrthogonalMatchingPursuit`.

    Args:
        X: (samples, features); centred here, not scaled.
        Y: (samples, targets).
        n_nonzero: atoms per target; by default a tenth of the features (at least one), or as many
            as it takes where `tol` is given.
        tol: stop a target once its squared residual norm is at most this.
        selected: (targets, k) features that each target may use; None for all.
        block: targets solved together; by default as many as half a GiB holds.
        mesh: mesh with an axis 'data' that the targets are split over; None for one device.

    Returns:
        `coef` (features, targets) and `intercept` (targets,). A target stops early where nothing
        correlates with its residual or the best atom depends on those it has.

    Raises:
        InputError: arrays that do not fit each other, n_nonzero below 1, a negative tol.
    """
    model = omp_sparse(X, Y, n_nonzero, tol, selected, block=block, mesh=mesh)
    return model.dense(jnp.shape(X)[1])


def omp_sparse(
    X: Any,
    Y: Any,
    n_nonzero: int | None = None,
    tol: float | None = None,
    selected: Any = None,
    *,
    block: int | None = None,
    mesh: Mesh | None = None,
) -> SparseLinearModel:
    """`omp` with its coefficients as (indices, values, intercept); the atoms in order of choice."""
    X, Y, selected = check(X, Y, selected)
    if n_nonzero is not None and n_nonzero < 1:
        raise InputError(f"n_nonzero is {n_nonzero}: expected at least 1 atom per target.")
    if tol is not None and tol < 0:
        raise InputError(f"tol is {tol}: expected a squared residual norm, 0 or more.")
    atoms = atom_count(X.shape, selected, n_nonzero, tol)
    usable = X.shape[1] if selected is None else selected.shape[1]
    block = block_size(Y.shape[1], omp_bytes(X.shape, usable, atoms), block)
    return _omp(X, Y, selected, -1.0 if tol is None else tol, atoms=atoms, block=block, mesh=mesh)


def atom_count(
    shape: tuple[int, ...], selected: jax.Array | None, n_nonzero: int | None, tol: float | None
) -> int:
    """Atoms to make room for: what was asked for, and never more than a basis can have."""
    samples, features = shape
    usable = features if selected is None else selected.shape[1]
    if n_nonzero is None:
        n_nonzero = max(usable // 10, 1) if tol is None else usable
    return max(1, min(n_nonzero, usable, samples - 1))


def omp_bytes(shape: tuple[int, int], usable: int, atoms: int) -> int:
    """Working memory of one target: correlations, candidates, Gram columns, basis and factor."""
    samples, features = shape
    columns = usable * (AHEAD + atoms + 8) if worthwhile(features, usable) else 0
    return 4 * (6 * features + columns + (2 * CANDIDATES + atoms + 8) * samples + 2 * atoms**2)


@functools.partial(jax.jit, static_argnames=("atoms", "block", "mesh"))
def _omp(X, Y, selected, tol, *, atoms: int, block: int, mesh: Mesh | None) -> SparseLinearModel:
    features = design(X, standardise=False, one_unit=True)
    targets, y_mean = centre_targets(Y)

    def solve(shared, mine):
        dictionary, tol = shared
        own, own_selected = mine
        products = correlate(own, dictionary.features)
        return pursue(dictionary, own, products, own_selected, atoms, tol)

    shared = (dictionary_of(features), tol)
    indices, values = map_targets(solve, shared, (targets, selected), block, mesh)
    return SparseLinearModel(indices, *original_units(features, y_mean, indices, values))
