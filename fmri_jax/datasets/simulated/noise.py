"""What a scanner adds: noise ceilings, noise that voxels share, and slow drift.

References:
    Lage-Castellanos, Valente, Formisano & De Martino (2019). Methods for computing the maximum
        performance of computational models of fMRI responses. PLOS Computational Biology
        15:e1006397.
    Allen et al. (2022). A massive 7T fMRI dataset to bridge cognitive neuroscience and artificial
        intelligence. Nature Neuroscience 25:116-126. (Noise ceilings from repeated images.)
"""

import numpy as np

from fmri_jax.datasets.simulated.areas import FIELD, ReceptiveFields

SKEW = 0.6  # first parameter of the ceilings' Beta distribution; below 1, many voxels are silent
SHARED_PATTERNS = 24  # independent fluctuations that neighbouring voxels share
DRIFT_WAVES = 6  # half cosines over the recording that make up the drift


def draw_ceilings(n_voxels: int, median: float, rng: np.random.Generator) -> np.ndarray:
    """Draws each voxel's noise ceiling: the share of a single trial's variance that images explain.

    The distribution is Beta(0.6, b), with b such that the median is as asked. On the recording of
    figure images in V1 (Miyawaki et al. 2008, subject 1, 967 voxels, 4 or 8 blocks an image), the
    ceilings estimated by a one-way analysis of variance have quartiles .06, .22 and .53 and a 95th
    percentile of .76; Beta(0.6, 1.5) has .06, .21, .46 and .80.

    Args:
        n_voxels: number of voxels.
        median: of the distribution; 0 and 1 give that ceiling to every voxel.
        rng: where chance comes from.

    Returns:
        (n_voxels,) float32, within [0, 1].
    """
    from scipy import optimize, stats  # slow to import

    if median in (0.0, 1.0):
        return np.full(n_voxels, median, np.float32)
    second = optimize.brentq(
        lambda log_b: stats.beta.cdf(median, SKEW, np.exp(log_b)) - 0.5, -12.0, 12.0
    )
    return rng.beta(SKEW, np.exp(second), n_voxels).astype(np.float32)


def trial_noise(
    n_trials: int,
    fields: ReceptiveFields,
    shared: float,
    drift: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Noise of variance 1 in every voxel: private, shared and slow parts.

    Args:
        n_trials: number of trials, in the order of the recording.
        fields: voxels that look at neighbouring places are neighbours in cortex, and share noise.
        shared: share of the variance that changes from trial to trial in neighbours together.
        drift: share of the variance that changes slowly over the recording.
        rng: where chance comes from.

    Returns:
        (n_trials, voxels) float32.
    """
    n_voxels = len(fields.x)
    noise = rng.standard_normal((n_trials, n_voxels), np.float32)
    noise *= np.float32(np.sqrt(1 - (shared + drift)))
    if shared:
        patterns = _neighbour_patterns(fields, rng) * np.sqrt(shared)
        strengths = rng.standard_normal((n_trials, SHARED_PATTERNS), np.float32)
        noise += strengths @ patterns.astype(np.float32)
    if drift:
        waves, weights = _drift(n_trials, n_voxels, rng)
        noise += waves @ (weights * np.float32(np.sqrt(drift)))
    return noise


def _neighbour_patterns(fields: ReceptiveFields, rng: np.random.Generator) -> np.ndarray:
    """(patterns, voxels), unit norm a voxel: plane waves over the visual field."""
    angular = rng.normal(0.0, 2 * np.pi / FIELD, (2, SHARED_PATTERNS, 1))
    phase = rng.uniform(0, 2 * np.pi, (SHARED_PATTERNS, 1))
    patterns = np.cos(angular[0] * fields.x + angular[1] * fields.y + phase)
    return patterns / np.linalg.norm(patterns, axis=0)


def _drift(n_trials: int, n_voxels: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Waves over time (trials, waves) and weights (waves, voxels); products have unit variance."""
    order = np.arange(1, DRIFT_WAVES + 1)
    time = (np.arange(n_trials)[:, None] + 0.5) / n_trials
    waves = np.sqrt(2) * np.cos(np.pi * order * time)  # orthonormal over the trials
    weights = rng.normal(size=(DRIFT_WAVES, n_voxels)) / order[:, None]
    weights /= np.linalg.norm(weights, axis=0)
    return waves.astype(np.float32), weights.astype(np.float32)
