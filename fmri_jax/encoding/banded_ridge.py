"""Banded ridge regression in kernel form: a share of the prior variance for each band of features.

With a kernel K_b of each band (a layer of a network), the responses of a voxel are predicted by

    y(x) = m + k(x) (K + alpha I)^-1 (Y - m),    K = sum_b gamma_b K_b

whose weights gamma, which sum to 1, and penalty alpha are the voxel's own: those whose squared
error on left-out stimuli is least among candidates. Weights drawn from Dirichlet distributions
search the simplex. One eigendecomposition of K serves all penalties, all voxels, the exact errors
of all folds (`linear.left_out`) and the final weights.

References:
    Nunez-Elizalde, Huth & Gallant (2019), NeuroImage 197:482 (banded ridge);
    Dupré la Tour, Eickenberg, Nunez-Elizalde & Gallant (2022), NeuroImage 264:119728 (random search
    in kernel form, the package himalaya).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from fmri_jax.arrays import einsum
from fmri_jax.encoding import best_ridge
from fmri_jax.errors import InputError
from fmri_jax.linear.left_out import rows_by_stimulus

CONCENTRATIONS = (0.1, 1.0)  # of the Dirichlet distributions, in turn: sparse and even weights


class Solution(NamedTuple):
    """What was chosen for each voxel, and its fit to all stimuli."""

    band_weights: jax.Array  # (bands, voxels) gamma
    alphas: jax.Array  # (voxels,)
    dual: jax.Array  # (stimuli, voxels) (K + alpha I)^-1 (Y - m)
    errors: jax.Array  # (voxels,) mean squared error of left-out stimuli
    left_out: jax.Array  # (stimuli, voxels) predictions from fits without the stimulus's fold


def search(
    kernels: jax.Array,
    responses: jax.Array,
    candidates: np.ndarray,
    alphas: np.ndarray,
    folds: np.ndarray,
) -> Solution:
    """Chooses weights of bands and penalty for each voxel, and fits.

    Args:
        kernels: (bands, stimuli, stimuli) products of centred features.
        responses: (stimuli, voxels), which need not be centred: there is an intercept.
        candidates: (candidates, bands) weights to try; rows sum to 1.
        alphas: (penalties,) to try with each.
        folds: (stimuli,) number of the fold that each stimulus is left out with.

    Raises:
        InputError: shapes do not fit, or there are fewer than two folds.
    """
    n, voxels = responses.shape
    if kernels.shape[1:] != (n, n) or candidates.shape[1:] != kernels.shape[:1]:
        raise InputError(
            f"kernels have shape {kernels.shape} and candidates {candidates.shape} for {n} "
            "stimuli: expected (bands, stimuli, stimuli) and (candidates, bands)."
        )
    groups = rows_by_stimulus(folds)
    if len(groups) < 2:
        raise InputError("folds holds one fold: expected at least two to choose penalties by.")
    centred = responses - responses.mean(axis=0)
    best = best_ridge.start(n, voxels, n)
    # LAPACK's threads wait for each other, busily, wherever other work has a core.
    with threadpool_limits(1, "blas"):
        for number, weights in enumerate(candidates):
            best = _improved(best, number, jnp.asarray(weights), kernels, centred, alphas, groups)
            jax.block_until_ready(best)
    return Solution(
        jnp.asarray(candidates.T)[:, best.candidate],
        best.alphas,
        best.coef,
        best.errors,
        responses - best.residuals,
    )


@jax.jit
def _improved(
    best: best_ridge.Best,
    number: int,
    weights: jax.Array,
    kernels: jax.Array,
    centred: jax.Array,
    alphas: jax.Array,
    groups: jax.Array,
) -> best_ridge.Best:
    """The best so far or, voxel by voxel, this candidate's."""
    variance, left = jnp.linalg.eigh(einsum("b,bnm->nm", weights, kernels))
    design = left, jnp.maximum(variance, 0), left
    return best_ridge.improved(best, number, design, centred, alphas, groups)


def candidate_weights(n_bands: int, n_random: int, seed: int) -> np.ndarray:
    """Weights of bands to try: even ones, each band alone, and random ones.

    Args:
        n_bands: number of bands.
        n_random: Dirichlet draws; none where there is one band.
        seed: of the draws.

    Returns:
        (candidates, n_bands) float32, rows sum to 1.
    """
    if n_bands == 1:
        return np.ones((1, 1), np.float32)
    rng = np.random.default_rng(seed)
    drawn = [
        rng.dirichlet(np.full(n_bands, CONCENTRATIONS[i % len(CONCENTRATIONS)]))
        for i in range(n_random)
    ]
    even = np.full((1, n_bands), 1 / n_bands)
    return np.concatenate([even, np.eye(n_bands), *(row[None] for row in drawn)]).astype(np.float32)
