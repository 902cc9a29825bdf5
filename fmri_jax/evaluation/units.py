"""Which test images are independent pieces of evidence, and which stand or fall together."""

from typing import Any

import numpy as np

from fmri_jax.evaluation.duplicates import nearly_equal

FEW = 20  # independent images or groups; below, a test set shows little


def independent_units(targets: Any, stimulus: Any, groups: Any = None) -> np.ndarray:
    """Numbers the units that are to be resampled: stimuli, or groups of dependent ones.

    Images that are nearly equal (pixel correlation above .95) are one unit: whoever decodes one of
    them decodes the others.

    Args:
        targets: (n, height, width, channels) in [0, 1].
        stimulus: (n,) which stimulus each row shows.
        groups: (n,) a group of stimuli that each row belongs to, such as a movie; -1 for none.

    Returns:
        (n,) int, the number of each row's unit.
    """
    from scipy.sparse.csgraph import connected_components

    stimuli, first, own = np.unique(stimulus, return_index=True, return_inverse=True)
    joined = nearly_equal(np.asarray(targets)[first])
    if groups is not None:
        group = np.asarray(groups)[first]
        joined |= (group[:, None] == group) & (group >= 0)
    _, unit = connected_components(joined, directed=False)
    return np.asarray(unit)[own]
