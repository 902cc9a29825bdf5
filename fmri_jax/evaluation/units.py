"""Which test images are independent pieces of evidence, and which stand or fall together."""

from typing import Any

import numpy as np

from fmri_jax.evaluation.duplicates import nearly_equal

FEW = 20  # independent images or groups; below, a test set shows little


def independent_units(targets: Any, stimulus: Any, *labels: Any) -> np.ndarray:
    """Numbers the units that are to be resampled: stimuli, or groups of dependent ones.

    Images that are nearly equal (pixel correlation above .95) are one unit: whoever decodes one of
    them decodes the others.

    Args:
        targets: (n, height, width, channels) in [0, 1].
        stimulus: (n,) which stimulus each row shows.
        *labels: each (n,), a group of stimuli that each row belongs to, such as a movie or a
            category; -1 for none. Stimuli that share any of them are one unit.

    Returns:
        (n,) int, the number of each row's unit.
    """
    stimuli, first, own = np.unique(stimulus, return_index=True, return_inverse=True)
    named = [np.asarray(groups)[first] for groups in labels]
    return joined_units(len(stimuli), *named, equal=nearly_equal(np.asarray(targets)[first]))[own]


def joined_units(n: int, *labels: np.ndarray, equal: np.ndarray | None = None) -> np.ndarray:
    """(n,) the unit of each stimulus, where those that share a label, or are `equal`, are one.

    Args:
        n: number of stimuli.
        *labels: each (n,) int, -1 for none.
        equal: (n, n) bool, which are one in any case.
    """
    from scipy.sparse.csgraph import connected_components

    joined = np.eye(n, dtype=bool) if equal is None else equal
    for group in labels:
        joined = joined | ((group[:, None] == group) & (group >= 0))
    return np.asarray(connected_components(joined, directed=False)[1])
