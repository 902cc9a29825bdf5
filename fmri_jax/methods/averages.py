"""Averages over the trials of each stimulus, as methods that share all voxels learn from them."""

import numpy as np

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.linear import dual_ridge
from fmri_jax.linear.dual_ridge import DualRidge


def decomposed(trials: Trials) -> tuple[np.ndarray, np.ndarray, DualRidge]:
    """Averages of training trials, and their decomposition.

    It takes seconds for a thousand stimuli. Every ridge map from these averages begins with it, of
    one method and of all others that are fitted to the same trials: it is kept with them.

    Returns:
        (stimuli, voxels) averages; (stimuli,) of which image each is; the map without penalties.
    """

    def compute() -> tuple[np.ndarray, np.ndarray, DualRidge]:
        rows, seen = average_by_stimulus(trials.fmri, trials.stimulus)
        return rows, seen, dual_ridge.decompose(rows)

    return trials.once("decomposed averages", compute)
