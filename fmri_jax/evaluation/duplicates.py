"""Test images that are also, or nearly, among the training images.

A random split of repeated images, or two crops of one photograph on both sides, makes scores
meaningless. Exact copies are found by their hash; near copies by the correlation of small
versions.

The default limit was set on 1,200 photographs of Caltech 101 at 64 pixels. Saved again as a JPEG
of quality 50, all of 100 passed it; cropped by 3 %, three quarters did. Of 200 other photographs 2
had a copy among 1,000, and to the eye they are: one motorbike photographed alike, two stop signs.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import resize
from fmri_jax.errors import InputError
from fmri_jax.evaluation.identification import similarity
from fmri_jax.evaluation.images import as_images, image_ids

SMALL = 32  # pixels, the side at which images are compared: small shifts and compression vanish


class Duplicate(NamedTuple):
    """A test image and the training image that it repeats."""

    test: int  # index into the test images
    train: int  # index into the training images
    exact: bool  # equal at 8 bits; else nearly equal
    correlation: float  # of the small versions


def find_duplicates(
    training_images: Any,
    test_images: Any,
    min_correlation: float = 0.95,
) -> list[Duplicate]:
    """Finds test images that have an exact or a near copy in training.

    Args:
        training_images: (m, height, width, channels); uint8 or in [0, 1].
        test_images: (n, height, width, channels).
        min_correlation: near copies correlate at least this much, at 32 x 32 pixels.

    Returns:
        One entry per pair, ordered by test image, the most similar training image first.

    Raises:
        InputError: training and test images differ in shape.

    References:
        Barz & Denzler (2020), "Do we train on test data?", J. Imaging 6:41 (near duplicates).
    """
    training = as_images(training_images, "training_images")
    test = as_images(test_images, "test_images")
    if training.shape[1:] != test.shape[1:]:
        raise InputError(
            f"training images have shape {training.shape[1:]} and test images {test.shape[1:]}: "
            "expected the same."
        )
    train_ids, test_ids = image_ids(training, test)
    exact = test_ids[:, None] == train_ids
    correlation = similarity(_shrink(training), _shrink(test))
    close = exact | (correlation >= min_correlation)
    found = [
        Duplicate(
            test=int(i),
            train=int(j),
            exact=bool(exact[i, j]),
            correlation=float(correlation[i, j]),
        )
        for i, j in zip(*np.nonzero(close), strict=True)
    ]
    return sorted(found, key=lambda pair: (pair.test, not pair.exact, -pair.correlation))


def nearly_equal(images: np.ndarray, min_correlation: float = 0.95) -> np.ndarray:
    """Which of the images are copies of one another, exact or near.

    Args:
        images: (n, height, width, channels) in [0, 1].
        min_correlation: near copies correlate at least this much, at 32 x 32 pixels.

    Returns:
        (n, n) bool, true on the diagonal.
    """
    small = _shrink(as_images(images, "images"))
    return (similarity(small, small) >= min_correlation) | np.eye(len(small), dtype=bool)


def _shrink(images: np.ndarray) -> np.ndarray:
    """Averages images down to at most 32 x 32 pixels; smaller ones stay."""
    height, width = (min(side, SMALL) for side in images.shape[1:3])
    return np.clip(np.asarray(resize(jnp.asarray(images), height, width, antialias=True)), 0, 1)
