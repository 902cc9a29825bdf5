"""Averages of the trials that repeat a stimulus."""

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
