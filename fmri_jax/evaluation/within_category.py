"""Identification among images of one category: what is decoded beyond the category itself.

A decoder that tells k categories apart, and nothing else, identifies 1 - 1/(2k) of all pairs. Among
images of one category it identifies one half.
"""

from typing import Any

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.without_mean import similarities


def identification_within(
    targets: Any, reconstructions: Any, categories: Any, means: Any = None
) -> np.ndarray | None:
    """Pairwise identification among the images of the own category.

    Args:
        targets: (n, height, width, channels) in [0, 1]; equal images are one candidate.
        reconstructions: the same shape.
        categories: (n,) the category of each row's image; -1 for none.
        means: the same shape as `targets`, the mean training image of each row's fold, which is
            removed from both sides; None: nothing is removed.

    Returns:
        (n, 2) for each row the share of the other images of its category that are less similar
        than the own one, ties counting half, and 1; two zeros where there is no other image. Their
        sums give the score by `share_of_sums`. None where no image has another one of its category.

    Raises:
        InputError: shapes do not match, or all targets are the same image.
    """
    own, found = similarities(targets, reconstructions, means)
    categories = np.asarray(categories)
    if categories.shape != own.shape:
        raise InputError(
            f"categories have shape {categories.shape} and there are {len(own)} rows: expected one "
            "category per row."
        )
    of_image = np.full(found.shape[1], -1)
    of_image[own] = categories
    other = (categories[:, None] == of_image) & (categories[:, None] >= 0)
    other[np.arange(len(own)), own] = False
    n = other.sum(axis=1)
    if not n.any():
        return None
    lead = found[np.arange(len(own)), own][:, None] - found
    won = np.sum(other & (lead > 0), axis=1) + np.sum(other & (lead == 0), axis=1) / 2
    return np.stack([won / np.maximum(n, 1), n > 0], axis=1)


def share_of_sums(sums: np.ndarray) -> np.ndarray:
    """(..., 2) sums of shares and of images that have any -> (...) means, NaN where none has."""
    sums = np.asarray(sums, np.float64)
    none = np.full(sums.shape[:-1], np.nan)
    return np.divide(sums[..., 0], sums[..., 1], out=none, where=sums[..., 1] > 0)
