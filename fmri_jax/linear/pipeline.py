"""Local decoders in one call: choose voxels by F-test, standardise them, solve for all targets.

This is what nilearn's Miyawaki example does one target after another with scikit-learn:
`make_pipeline(SelectKBest(f_regression, k=500), StandardScaler(), OrthogonalMatchingPursuit(10))`.
"""

import functools
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from fmri_jax.errors import InputError
from fmri_jax.linear.bayesian import Evidence, evidence_bytes, solve_own
from fmri_jax.linear.closed_form import SOLVERS, single_best, solve_selected
from fmri_jax.linear.design import centre_targets, check, check_alpha, design, original_units
from fmri_jax.linear.matching_pursuit.candidates_bf16 import dictionary_of
from fmri_jax.linear.matching_pursuit.solver import omp_bytes
from fmri_jax.linear.matching_pursuit.steps import pursue
from fmri_jax.linear.model import LinearModel, SparseLinearModel
from fmri_jax.linear.selection import correlate, f_scores, select_rows
from fmri_jax.linear.target_batches import block_size, for_solving, map_targets

Decoder = Literal["omp", "least_squares", "ridge", "bayesian_ridge", "univariate"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)


def fit_selected(
    X: Any,
    Y: Any,
    decoder: Decoder = "omp",
    n_voxels: int = 500,
    *,
    n_nonzero: int = 10,
    alpha: Any = 1.0,
    block: int | None = None,
    mesh: Mesh | None = None,
) -> LinearModel:
    """F-test selection, standardisation and a linear decoder for every target.

    Args:
        X: (samples, voxels).
        Y: (samples, targets).
        decoder: 'omp', 'least_squares', 'ridge', 'bayesian_ridge' or 'univariate' (the best of all
            voxels).
        n_voxels: voxels per target, those of largest F; all where there are fewer.
        n_nonzero: atoms per target, for 'omp'.
        alpha: penalty, one or (targets,), for 'ridge'; the voxels are standardised.
        block: targets solved together; by default as many as half a GiB holds.
        mesh: mesh with an axis 'data' that the targets are split over; None for one device.

    Returns:
        `coef` (voxels, targets) in the units of `X`, and `intercept` (targets,).

    Raises:
        InputError: arrays that do not fit each other, an unknown decoder, a count below 1.
    """
    model = fit_selected_sparse(
        X, Y, decoder, n_voxels, n_nonzero=n_nonzero, alpha=alpha, block=block, mesh=mesh
    )
    return model.dense(jnp.shape(X)[1])


def fit_selected_sparse(
    X: Any,
    Y: Any,
    decoder: Decoder = "omp",
    n_voxels: int = 500,
    *,
    n_nonzero: int = 10,
    alpha: Any = 1.0,
    block: int | None = None,
    mesh: Mesh | None = None,
) -> SparseLinearModel:
    """`fit_selected` with coefficients as (indices, values, intercept)."""
    X, Y, _ = check(X, Y)
    if decoder not in DECODERS:
        raise InputError(f"decoder is {decoder!r}: expected one of {', '.join(DECODERS)}.")
    if n_voxels < 1 or n_nonzero < 1:
        raise InputError(
            f"n_voxels is {n_voxels} and n_nonzero is {n_nonzero}: expected at least 1 of each."
        )
    alpha = check_alpha(alpha, Y)
    samples, voxels = X.shape
    n_voxels = 1 if decoder == "univariate" else min(n_voxels, voxels)
    atoms = max(1, min(n_nonzero, n_voxels, samples - 1))
    per_target = omp_bytes(X.shape, n_voxels, atoms)
    if decoder == "bayesian_ridge":
        per_target += evidence_bytes(samples, n_voxels)
    block = block_size(Y.shape[1], per_target, block)
    if decoder == "bayesian_ridge":  # others have no batches of LAPACK's
        mesh = for_solving(mesh)
    return _fit(X, Y, alpha, decoder, n_voxels, atoms, block, mesh)


@functools.partial(jax.jit, static_argnames=("decoder", "n_voxels", "atoms", "block", "mesh"))
def _fit(X, Y, alpha, decoder: Decoder, n_voxels: int, atoms: int, block: int, mesh: Mesh | None):
    samples = X.shape[0]
    # The barrier keeps XLA from transposing X once for each use of the rows.
    features = jax.lax.optimization_barrier(design(X, standardise=True))
    targets, y_mean = centre_targets(Y)

    def solve(dictionary, mine):
        own, penalty = mine
        products = correlate(own, dictionary.features)
        selected = select_rows(f_scores(dictionary.features, own, products, samples), n_voxels)
        if decoder == "omp":
            return pursue(dictionary, own, products, selected, atoms, -1.0)
        if decoder == "univariate":
            return selected, single_best(products, selected, samples)
        if decoder == "bayesian_ridge":
            return selected, solve_own(dictionary.features.rows, own, selected, samples, Evidence())
        return solve_selected(
            SOLVERS[decoder], dictionary.features, own, selected, penalty, samples
        )

    indices, values = map_targets(solve, dictionary_of(features), (targets, alpha), block, mesh)
    return SparseLinearModel(indices, *original_units(features, y_mean, indices, values))
