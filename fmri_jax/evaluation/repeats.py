"""Trials that repeat a stimulus: their averages, and rows of another stimulus in their place."""

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


def of_another_stimulus(stimulus: np.ndarray, seed: int = 0) -> np.ndarray | None:
    """(n,) for each row one of another stimulus; each stimulus takes the next in a random order.

    Args:
        stimulus: (n,) which stimulus each row shows.
        seed: of the order.

    Returns:
        Indices of rows; None where all rows are of one stimulus.
    """
    stimuli = np.random.default_rng(seed).permutation(np.unique(stimulus))
    if len(stimuli) < 2:
        return None
    following = dict(zip(stimuli, np.roll(stimuli, -1), strict=True))
    rows = {s: np.flatnonzero(stimulus == s) for s in stimuli}
    taken = dict.fromkeys(stimuli, 0)
    wrong = np.empty(len(stimulus), int)
    for row, own in enumerate(stimulus):
        others = rows[following[own]]
        wrong[row] = others[taken[own] % len(others)]
        taken[own] += 1
    return wrong
