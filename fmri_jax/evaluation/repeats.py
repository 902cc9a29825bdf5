"""Trials that repeat a stimulus: their averages, and which rows they are."""

from typing import Any

import numpy as np


def average_by_stimulus(fmri: Any, stimulus: Any) -> tuple[np.ndarray, np.ndarray]:
    """Averages the trials of each stimulus.

    Args:
        fmri: (trials, voxels).
        stimulus: (trials,).

    Returns:
        (stimuli, voxels) means, and the stimuli (stimuli,) in rising order.
    """
    fmri = np.asarray(fmri)
    fmri = fmri if fmri.dtype == np.float64 else fmri.astype(np.float32)
    seen, group, trials = np.unique(stimulus, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    starts = np.concatenate([[0], np.cumsum(trials)[:-1]])
    sums = np.add.reduceat(fmri[order], starts, axis=0)
    return sums / trials[:, None].astype(fmri.dtype), seen


def rows_by_stimulus(stimulus: np.ndarray) -> np.ndarray:
    """Finds the rows of each stimulus.

    Args:
        stimulus: (rows,).

    Returns:
        (stimuli, most rows of one) int32 in rising order of stimulus, -1 where it has no more.
    """
    _, group, trials = np.unique(stimulus, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    places = np.arange(len(group)) - np.repeat(np.cumsum(trials) - trials, trials)
    rows = np.full((len(trials), trials.max()), -1, np.int32)
    rows[group[order], places] = order
    return rows
