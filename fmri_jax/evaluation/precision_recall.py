"""Precision and recall of generated images: whether they look real, and how much they cover."""

from typing import NamedTuple

import numpy as np

from fmri_jax.evaluation.frechet import check_features

_BLOCK = 1000  # rows whose distances to a whole set are in memory at a time


class PrecisionRecall(NamedTuple):
    """Shares, in [0, 1]."""

    precision: float  # of the generated images that lie among the real ones
    recall: float  # of the real images that lie among the generated ones


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall.

    An image lies among those of a set if it is, for at least one of them, no farther away than
    the k-th nearest neighbour that this one has in its own set (Euclidean distance).

    Args:
        real: (n, features).
        generated: (m, features).
        k: which neighbour; 3 as in the paper.

    Returns:
        Precision and recall.

    Raises:
        InputError: a set has no k neighbours, or the sets differ in their features.

    References:
        Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing generative
        models", NeurIPS, equations 1 and 2.
    """
    check_features(real, generated, least=k + 1)
    real, generated = (np.asarray(rows, np.float64) for rows in (real, generated))
    return PrecisionRecall(
        precision=_share_among(generated, real, k), recall=_share_among(real, generated, k)
    )


def _share_among(rows: np.ndarray, members: np.ndarray, k: int) -> float:
    """The share of rows that lie among the members."""
    radii = np.concatenate(
        [
            # An image is its own nearest neighbour, at place 0.
            np.partition(_squared_distances(block, members), k, axis=1)[:, k]
            for block in _blocks(members)
        ]
    )
    inside = [(_squared_distances(block, members) <= radii).any(axis=1) for block in _blocks(rows)]
    return float(np.concatenate(inside).mean())


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, features) and (m, features) -> (n, m), by |a|^2 + |b|^2 - 2 a.b."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(squares, 0)


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
