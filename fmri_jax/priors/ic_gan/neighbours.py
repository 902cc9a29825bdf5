"""Which photographs are like which: the neighbourhoods that a GAN under instances learns."""

import numpy as np

BLOCK = 512  # rows whose likeness to all is held at a time


def nearest(features: np.ndarray, k: int) -> np.ndarray:
    """The k nearest neighbours of each row by the cosine, itself first (Casanova et al. 2021).

    Args:
        features: (n, features) of unit length.
        k: how many; at most n are there.

    Returns:
        (n, min(k, n)) int32, from the nearest on.
    """
    rows = np.asarray(features, np.float32)
    n = len(rows)
    k = min(k, n)
    found = np.empty((n, k), np.int32)
    for start in range(0, n, BLOCK):
        here = np.arange(start, min(start + BLOCK, n))
        likeness = rows[here] @ rows.T
        likeness[np.arange(len(here)), here] = np.inf  # copies are not nearer than itself
        some = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(likeness, some, axis=1), axis=1, kind="stable")
        found[here] = np.take_along_axis(some, order, axis=1)
    return found
