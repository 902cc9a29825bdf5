"""Test images that are also, or nearly, among the training images.

A random split of repeated images, or two crops of one photograph on both sides, makes scores
meaningless. Exact copies are found by their hash; near copies by the correlation of small
versions, and by LPIPS among the few most similar, where its weights are given.

The default limits were set on 1,200 photographs of Caltech 101 at 64 pixels. Saved again as a
JPEG of quality 50, all of 100 passed the limit on the correlation; cropped by 3 %, three quarters
did; cropped by 6 %, 95 % passed that on LPIPS. Of 200 other photographs 2 had a copy among 1,000
by correlation and 4 by LPIPS, and to the eye they are: one motorbike photographed alike, a
crayfish in two exposures, two stop signs.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.identification import similarity
from fmri_jax.evaluation.images import as_images, image_ids
from fmri_jax.evaluation.perceptual import PerceptualWeights, lpips

SMALL = 32  # pixels a side at which images are compared: small shifts and compression vanish
NEAREST = 5  # training images a test image that are looked at closely


class Duplicate(NamedTuple):
    """A test image and the training image that it repeats."""

    test: int  # index into the test images
    train: int  # index into the training images
    exact: bool  # equal at 8 bits; else nearly equal
    correlation: float  # of the small versions
    lpips: float | None  # distance; None where no weights were given


def find_duplicates(
    training_images: Any,
    test_images: Any,
    min_correlation: float = 0.95,
    max_lpips: float = 0.1,
    weights: PerceptualWeights | None = None,
) -> list[Duplicate]:
    """Finds test images that have an exact or a near copy in training.

    Args:
        training_images: (m, height, width, channels); uint8 or in [0, 1].
        test_images: (n, height, width, channels).
        min_correlation: near copies correlate at least so much, at 32 pixels a side.
        max_lpips: or are at most this far apart by LPIPS, where `weights` are given; only the
            five most correlated training images of each test image are looked at.
        weights: AlexNet and the LPIPS heads.

    Returns:
        One entry a pair, ordered by test image, the most similar training image first.

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
    nearest = np.argsort(-np.where(exact, 2, correlation), axis=1, kind="stable")[:, :NEAREST]
    rows, columns = np.repeat(np.arange(len(test)), nearest.shape[1]), nearest.ravel()
    close = exact | (correlation >= min_correlation)
    distance = np.full(close.shape, np.nan)
    if weights is not None:
        distance[rows, columns] = lpips(training[columns], test[rows], weights)
        close |= distance <= max_lpips
    found = [
        Duplicate(
            test=int(i),
            train=int(j),
            exact=bool(exact[i, j]),
            correlation=float(correlation[i, j]),
            lpips=None if np.isnan(distance[i, j]) else float(distance[i, j]),
        )
        for i, j in zip(*np.nonzero(close), strict=True)
    ]
    return sorted(found, key=lambda pair: (pair.test, not pair.exact, -pair.correlation))


def _shrink(images: np.ndarray) -> np.ndarray:
    """Averages images down to at most 32 pixels a side; smaller ones stay."""
    n, height, width, channels = images.shape
    shape = (n, min(height, SMALL), min(width, SMALL), channels)
    small = jax.image.resize(jnp.asarray(images), shape, "linear", antialias=True)
    return np.clip(np.asarray(small), 0, 1)
