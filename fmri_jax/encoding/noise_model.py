"""Noise of the responses: a covariance over voxels of low rank plus a diagonal.

Residuals of repeats about their stimulus's mean (or of measured about predicted responses) are
described by factor analysis: factors that voxels share, such as arousal and motion, and noise of
each voxel's own. With few trials a full covariance of thousands of voxels cannot be inverted; this
one always can.
"""

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul
from fmri_jax.evaluation.repeats import average_by_stimulus

_LEAST = 1e-6  # variance of a voxel's own noise, as a share of its variance at all


@flax.struct.dataclass
class NoiseModel:
    """Normally distributed noise with covariance factors.T @ factors + diag(variance)."""

    factors: jax.Array  # (rank, voxels)
    variance: jax.Array  # (voxels,)

    @functools.partial(jax.jit, static_argnums=2)
    def sample(self, key: jax.Array, n: int) -> jax.Array:
        """(n, voxels) draws."""
        shared, own = jax.random.split(key)
        common = jax.random.normal(shared, (n, len(self.factors)))
        each = jax.random.normal(own, (n, len(self.variance)))
        return matmul(common, self.factors) + each * jnp.sqrt(self.variance)

    def covariance(self) -> jax.Array:
        """(voxels, voxels)."""
        return matmul(self.factors.T, self.factors) + jnp.diag(self.variance)

    def averaged(self, repeats: float) -> "NoiseModel":
        """The noise of the mean of so many trials."""
        return NoiseModel(self.factors / np.sqrt(repeats), self.variance / repeats)

    def log_likelihood(self, measured: jax.Array, predicted: jax.Array) -> jax.Array:
        """Log density of every measured response under every prediction.

        By Woodbury's identity, with L the factors over the own deviations and M = I + L L^T,

            r^T C^-1 r = |r / s|^2 - |M^-1/2 L (r / s)|^2,    log|C| = sum log s^2 + log|M|

        Args:
            measured: (n, voxels).
            predicted: (m, voxels).

        Returns:
            (n, m).
        """
        return _log_likelihood(self, measured, predicted)


@jax.jit
def _log_likelihood(noise: NoiseModel, measured: jax.Array, predicted: jax.Array) -> jax.Array:
    deviation = jnp.sqrt(noise.variance)
    scaled = noise.factors / deviation
    inner = jnp.eye(len(scaled), dtype=scaled.dtype) + matmul(scaled, scaled.T)
    lower = jnp.linalg.cholesky(inner)
    # About one centre, so that the differences of squares below stay exact.
    centre = measured.mean(axis=0)

    def whitened(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        own = (rows - centre) / deviation
        along = jax.scipy.linalg.solve_triangular(lower, matmul(scaled, own.T), lower=True)
        return own, along.T

    def squares(a: jax.Array, b: jax.Array) -> jax.Array:
        return (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * matmul(a, b.T)

    (own, along), (own_, along_) = whitened(measured), whitened(predicted)
    distance = squares(own, own_) - squares(along, along_)
    constant = jnp.sum(jnp.log(2 * jnp.pi * noise.variance)) + 2 * jnp.sum(
        jnp.log(jnp.diagonal(lower))
    )
    return -0.5 * (distance + constant)


def fit(residuals: np.ndarray, rank: int, freedom: float = 1.0, seed: int = 0) -> NoiseModel:
    """Describes residuals by factor analysis.

    Args:
        residuals: (n, voxels), of mean 0.
        rank: factors, fewer where there are fewer residuals or voxels.
        freedom: degrees of freedom per residual: residuals about the mean of k repeats vary by
            (k - 1) / k of the noise.
        seed: of the randomised decomposition.

    Returns:
        The model of the noise of one trial.

    References:
        Rubin & Thayer (1982), Psychometrika 47:69 (maximum likelihood).
    """
    from sklearn.decomposition import FactorAnalysis

    rows = np.asarray(residuals, np.float64) / np.sqrt(freedom)
    total = np.mean(rows**2, axis=0)
    unit = np.sqrt(np.where(total > 0, total, 1))
    rank = max(min(rank, min(rows.shape) - 1), 0)
    factors = np.zeros((0, rows.shape[1]))
    if rank:
        found = FactorAnalysis(rank, random_state=seed).fit(rows / unit)
        factors = found.components_ * unit
    # What factors leave of the measured variance, so that each voxel's total is its own.
    own = np.maximum(total - np.sum(factors**2, axis=0), np.maximum(_LEAST * total, 1e-12))
    return NoiseModel(jnp.asarray(factors, jnp.float32), jnp.asarray(own, jnp.float32))


def residuals_of_repeats(fmri: Any, stimulus: Any) -> tuple[np.ndarray, float]:
    """Trials less the mean of their stimulus, and their degrees of freedom per trial.

    Stimuli that were shown once say nothing of noise and are left out.

    Args:
        fmri: (trials, voxels).
        stimulus: (trials,).

    Returns:
        (trials of repeated stimuli, voxels), and 1 - stimuli / trials; none, and 1, without
        repeats.
    """
    fmri = np.asarray(fmri)
    means, seen = average_by_stimulus(fmri, stimulus)
    _, group, repeats = np.unique(stimulus, return_inverse=True, return_counts=True)
    kept = repeats[group] > 1
    n = int(kept.sum())
    if not n:
        return np.empty((0, fmri.shape[1]), np.float32), 1.0
    return fmri[kept] - means[group[kept]], 1 - int(np.sum(repeats > 1)) / n
