"""Recall instead of reconstruction: the training image whose responses are most alike."""

from typing import Any

import numpy as np

from fmri_jax.evaluation.images import as_images
from fmri_jax.evaluation.repeats import average_by_stimulus


def nearest_training_image(fmri: Any, stimulus: Any, images: Any, test_fmri: Any) -> np.ndarray:
    """The training image whose response pattern correlates best with each test pattern.

    A training image's pattern is the average over its trials. Patterns are taken as distances from
    the mean training trial, so that what preparation multiplied those by changes nothing.

    Args:
        fmri: (trials, voxels) training trials, standardised.
        stimulus: (trials,) index into `images`.
        images: (stimuli, height, width, channels); uint8 or in [0, 1].
        test_fmri: (n, voxels), standardised as the training trials.

    Returns:
        (n, height, width, channels) float32. Of several best images the first; a pattern without
        any spread correlates with none, and has the first image of all.
    """
    patterns, seen = average_by_stimulus(fmri, stimulus)
    mean = np.asarray(fmri, np.float64).mean(axis=0)
    similarity = _unit(np.asarray(test_fmri) - mean) @ _unit(patterns - mean).T
    nearest = seen[similarity.argmax(axis=1)]
    return as_images(np.asarray(images)[nearest], "images").astype(np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    """Centred rows of length 1, zeros where a row is constant: products are correlations."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)
