"""Scores of binary images from per-image counts, pooled over pixels (micro).

In Miyawaki's figure session the border pixels are never on, so per-pixel (macro) recall and F1 are
undefined there. All scores here pool every pixel of every image first; keeping the counts image by
image lets an interval leave images out and pool again.
"""

import jax
import jax.numpy as jnp
import numpy as np

# Columns of the counts.
TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE, TRUE_NEGATIVE = range(4)


@jax.jit
def counts(
    targets: jax.Array, reconstructions: jax.Array, threshold: float | jax.Array = 0.5
) -> jax.Array:
    """Counts how many pixels of each image are rightly or wrongly on or off.

    Args:
        targets: (n, height, width, channels), zeros and ones.
        reconstructions: the same shape in [0, 1]; a pixel is on above `threshold`.
        threshold: level between off and on.

    Returns:
        (n, 4) int32: true positives, false positives, false negatives, true negatives.
    """
    on, decoded = targets > 0.5, reconstructions > threshold
    cells = (on & decoded, ~on & decoded, on & ~decoded, ~on & ~decoded)
    return jnp.stack([jnp.sum(cell, axis=(1, 2, 3), dtype=jnp.int32) for cell in cells], axis=1)


def accuracy(pooled: np.ndarray) -> np.ndarray:
    """Fraction of pixels that are right.

    Args:
        pooled: (..., 4) counts, summed over images.

    Returns:
        (...) in [0, 1]. An all-black image scores the fraction of pixels that are off.
    """
    pooled = np.asarray(pooled, np.float64)
    right = pooled[..., TRUE_POSITIVE] + pooled[..., TRUE_NEGATIVE]
    return _ratio(right, pooled.sum(axis=-1))


def precision(pooled: np.ndarray) -> np.ndarray:
    """Fraction of the pixels decoded as on that are on; nan where none was decoded as on."""
    pooled = np.asarray(pooled, np.float64)
    hits = pooled[..., TRUE_POSITIVE]
    return _ratio(hits, hits + pooled[..., FALSE_POSITIVE])


def recall(pooled: np.ndarray) -> np.ndarray:
    """Fraction of the pixels that are on that were decoded as on; nan where none is on."""
    pooled = np.asarray(pooled, np.float64)
    hits = pooled[..., TRUE_POSITIVE]
    return _ratio(hits, hits + pooled[..., FALSE_NEGATIVE])


def f1(pooled: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN).

    0 for an all-black reconstruction, whose precision is undefined; nan only where no pixel is on
    and none was decoded as on.
    """
    pooled = np.asarray(pooled, np.float64)
    hits = 2 * pooled[..., TRUE_POSITIVE]
    return _ratio(hits, hits + pooled[..., FALSE_POSITIVE] + pooled[..., FALSE_NEGATIVE])


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Numerator over denominator, nan (and no warning) where the denominator is 0."""
    defined = denominator > 0
    return np.where(defined, numerator / np.where(defined, denominator, 1), np.nan)


# Metric name -> function of pooled counts.
SCORES = {"accuracy": accuracy, "precision": precision, "recall": recall, "f1": f1}
