"""Which training images are reconstructed beside the test images."""

import math

import numpy as np

from fmri_jax.data.preparation.folds import Fold, Trials


def training_sample(fold: Fold, number: int, n: int) -> Trials:
    """One trial of each of `n` training stimuli, spread evenly over them.

    Of several folds each takes other stimuli, whichever folds were done before: together they show
    nearly as many as they have rows.
    """
    train = fold.train
    seen, first = np.unique(train.stimulus, return_index=True)
    if fold.is_only:
        return train.take(first[np.linspace(0, len(first) - 1, min(n, len(first))).astype(int)])
    tested = [trials.stimulus for trials in fold.tests.values()]
    everyone = np.unique(np.concatenate([seen, *tested]))  # in all folds, but for validation ones
    due = np.roll(everyone[_spread(len(everyone))], -number * n)
    # What this fold leaves out is replaced by stimuli that are furthest from their turn.
    due = np.concatenate([due[:n], np.roll(due[n:], -(len(due[n:]) // 2))])
    chosen = np.sort(due[np.isin(due, seen)][:n])
    return train.take(first[np.searchsorted(seen, chosen)])


def _spread(n: int) -> np.ndarray:
    """(n,) an order of `range(n)` of which every stretch is spread evenly: golden-ratio steps."""
    step = max(1, round(0.618 * n))
    while math.gcd(step, n) != 1:  # or the steps would come back before they have met all
        step += 1
    return np.arange(n) * step % n
