"""The best of several ridge regressions, voxel by voxel, by exact errors of left-out stimuli.

Candidates differ in their features: bands weighted otherwise, or maps pooled elsewhere. Of each,
one decomposition serves all penalties, all voxels and all folds; only the best so far is kept.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul
from fmri_jax.linear.left_out import left_out_residuals


class Best(NamedTuple):
    """The best of the candidates so far."""

    errors: jax.Array  # (voxels,) mean squared error of left-out stimuli
    alphas: jax.Array  # (voxels,)
    candidate: jax.Array  # (voxels,)
    residuals: jax.Array  # (stimuli, voxels) of stimuli that were left out
    coef: jax.Array  # (k, voxels)


def start(n: int, voxels: int, k: int) -> Best:
    """What any candidate improves on; arguments are the lengths of the arrays of `Best`."""
    infinite = jnp.full(voxels, jnp.inf)
    none = jnp.zeros(voxels, jnp.int32)
    return Best(infinite, infinite, none, jnp.zeros((n, voxels)), jnp.zeros((k, voxels)))


def improved(
    best: Best,
    number: int | jax.Array,
    design: tuple[jax.Array, jax.Array, jax.Array],
    centred: jax.Array,
    alphas: jax.Array,
    groups: jax.Array,
) -> Best:
    """The best so far or, voxel by voxel, this candidate's; pure.

    Args:
        best: so far.
        number: of this candidate.
        design: left singular vectors (n, components) of its centred features X, their squared
            singular values (components,), and a matrix (k, components) that leads from
            (s^2 + alpha)^-1 U^T Y to what is kept as `coef`: U for dual weights (X X^T + alpha)^-1
            Y, or V diag(s) for weights of the features.
        centred: (n, voxels) responses less their mean.
        alphas: (penalties,) to try.
        groups: (folds, most rows of one) as for `linear.left_out.left_out_residuals`; folds weigh
            the same, however many stimuli each holds.
    """
    left, variance, back = design
    rows = groups.reshape(-1)
    used = (rows >= 0)[:, None]
    sizes = jnp.sum(groups >= 0, axis=1)
    shares = jnp.repeat(1 / (sizes * len(groups)), groups.shape[1])[:, None]
    residuals_at = left_out_residuals(left, variance, groups, centred)

    def try_penalty(kept: Best, alpha: jax.Array) -> tuple[Best, None]:
        found = jnp.where(used, residuals_at(alpha), 0)
        errors = jnp.sum(found**2 * shares, axis=0)
        better = errors < kept.errors
        by_stimulus = jnp.zeros_like(centred).at[rows].add(found)  # of empty rows: zeros
        return kept._replace(
            errors=jnp.where(better, errors, kept.errors),
            alphas=jnp.where(better, alpha, kept.alphas),
            candidate=jnp.where(better, number, kept.candidate),
            residuals=jnp.where(better, by_stimulus, kept.residuals),
        ), None

    found, _ = jax.lax.scan(try_penalty, best, alphas)
    shrunk = matmul(left.T, centred) / (variance[:, None] + found.alphas)
    return found._replace(
        coef=jnp.where(found.errors < best.errors, matmul(back, shrunk), best.coef)
    )


def as_folds(n: int, n_folds: int, seed: int) -> np.ndarray:
    """(n,) the fold of each of n stimuli, drawn at random; folds differ by one stimulus at most."""
    return np.random.default_rng(seed).permutation(n) % min(n_folds, n)
