"""How well each voxel's responses repeat, and how steady its scans are."""

import numpy as np

from fmri_jax.data.alignment import within_runs
from fmri_jax.data.recording import Recording


def split_half(recording: Recording) -> np.ndarray | None:
    """Each voxel's correlation, over images, between the mean responses to two halves of repeats.

    The repeats of an image are halved in their order, odd against even. Each run's mean is taken
    out first: where runs have other baselines, it would pass for a response or hide one. Nothing is
    corrected for the number of repeats.

    Returns:
        (voxels,) float64, NaN for a voxel that never changes; None where fewer than three images
        are repeated.
    """
    stimulus = recording.distinct_images[recording.stimulus]
    fmri = within_runs(recording)
    odd, even = [], []
    for image in np.unique(stimulus):
        trials = np.flatnonzero(stimulus == image)
        if len(trials) > 1:
            odd.append(fmri[trials[::2]].mean(axis=0, dtype=np.float64))
            even.append(fmri[trials[1::2]].mean(axis=0, dtype=np.float64))
    if len(odd) < 3:
        return None
    return _correlation(np.stack(odd), np.stack(even))


def temporal_snr(scans: np.ndarray) -> np.ndarray:
    """Each voxel's mean over its standard deviation in time, its linear trend taken out.

    Args:
        scans: (volumes, voxels).

    Returns:
        (voxels,) float64, NaN for a voxel that never changes.
    """
    values = scans.astype(np.float64)
    time = np.arange(len(values)) - (len(values) - 1) / 2
    slope = time @ values / max(float(time @ time), 1.0)
    noise = (values - values.mean(axis=0) - time[:, None] * slope).std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(noise > 0, values.mean(axis=0) / noise, np.nan)


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's correlation of the columns of two (n, voxels) arrays."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    length = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(length > 0, (a * b).sum(axis=0) / length, np.nan)
