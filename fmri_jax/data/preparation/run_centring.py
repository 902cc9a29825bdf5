"""Runs brought to one baseline: each voxel's mean, or spread, over a run's own trials.

A scanner's units drift between runs by some per cent of the mean, and a response is one per cent.
Each voxel of a run is centred, z-scored, or taken as per cent of its mean in that run.

What is estimated comes from the training trials of the run alone, so that a test trial is not
compared with other test trials. A run without training trials (when runs are left out, or the test
set was recorded apart) has only its test trials to estimate from: these then know of one another's
images, and the report notes it (`Fold.runs_centred_by_test`).
"""

from typing import Literal

import numpy as np

from fmri_jax.errors import InputError

Centring = Literal["centre", "zscore", "percent"]

_FEWEST = 2  # trials of a run; about the mean of one trial nothing of it is left


def centred(
    fmri: np.ndarray, run: np.ndarray, train: np.ndarray, test: np.ndarray, how: Centring
) -> tuple[np.ndarray, int]:
    """Responses relative to their run.

    Args:
        fmri: (trials, voxels) float32, as recorded.
        run: (trials,) the run of each.
        train: indices of the training trials.
        test: indices of the test trials.
        how: "centre" subtracts the run's mean, "zscore" divides by its standard deviation as well,
            "percent" divides by its mean and gives per cent.

    Returns:
        (trials, voxels) float32, in which only the rows of `train` and `test` have a meaning, and
        how many runs were estimated from test trials.

    Raises:
        InputError: a run has too few trials to estimate from, or a mean that per cent cannot be
            taken of.
    """
    result = fmri.copy()
    by_test = 0
    for number in np.unique(run[np.concatenate([train, test])]):
        training, testing = train[run[train] == number], test[run[test] == number]
        rows = np.concatenate([training, testing])
        reference = training if len(training) else testing
        by_test += not len(training)
        if len(reference) < _FEWEST:
            raise InputError(
                f"config.preparation.run_centring is {how!r}, and run {number} has "
                f"{len(reference)} {'training' if len(training) else 'test'} trial to estimate its "
                "mean from: expected at least 2; leave fewer stimuli out, or set run_centring=None."
            )
        result[rows] = _relative(fmri[rows], fmri[reference].astype(np.float64), how, number)
    return result, by_test


def _relative(rows: np.ndarray, reference: np.ndarray, how: Centring, number: int) -> np.ndarray:
    """(n, voxels) float32 rows of one run, relative to its reference trials."""
    mean = reference.mean(axis=0)
    if how == "centre":
        return (rows - mean).astype(np.float32)
    if how == "zscore":
        spread = reference.std(axis=0)
        constant = spread <= 1e-6 * np.abs(mean)  # below float32's resolution of the mean
        return np.where(constant, 0, (rows - mean) / np.where(constant, 1, spread)).astype("f4")
    near_zero = np.abs(mean) <= reference.std(axis=0)
    if near_zero.any():
        raise InputError(
            f"config.preparation.run_centring is 'percent', and the mean of run {number} is not "
            f"above its spread in {int(near_zero.sum())} of {len(mean)} voxels: expected scans in "
            "the scanner's units, such as 1000, not betas or z scores; use 'centre' or 'zscore'."
        )
    return (100 * (rows - mean) / mean).astype(np.float32)
