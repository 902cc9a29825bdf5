"""Projection onto the span of the training images, or features: the best prediction inside of it.

A linear decoder whose voxels and penalty are shared by all pixels, such as the ridge baseline, can
only make weighted sums of training images: whatever the responses, it never leaves their span. How
well the span holds the test images bounds every such decoder, and one that scores near this bound
is limited by its training images, not by the recording. Decoders with voxels of their own for each
pixel or element, such as local decoders, weigh training trials anew in each part of the image: they
leave the span and are not bound. The same holds for the units of a network's layer.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.images import as_images

# Directions with less than this share of the largest variance are rounding.
RANK_TOLERANCE = 1e-10
# Inverse condition (LAPACK's estimate, good to a small factor) that rules such directions out.
SAFE = 100 * RANK_TOLERANCE
BLOCK = 65_536  # units whose float64 copies are held at a time


def project_onto_span(training_images: Any, targets: Any, clip: bool = True) -> np.ndarray:
    """Projects test images onto the affine span of the training images (least squares).

    Args:
        training_images: (m, height, width, channels); uint8 or in [0, 1]; duplicates do no harm.
        targets: (n, height, width, channels), the test images.
        clip: to [0, 1], which brings every pixel nearer to its target or leaves it there.

    Returns:
        (n, height, width, channels) float32.

    Raises:
        InputError: training and test images differ in shape.

    References:
        Shirakawa et al. (2024), "Spurious reconstruction from brain activity", arXiv:2405.10078
        ("output dimension collapse").
    """
    training, targets = as_images(training_images, "training_images"), as_images(targets, "targets")
    projected = project_features(training, targets)
    return np.clip(projected, 0, 1) if clip else projected


def project_features(training: Any, targets: Any, scale: Any = None) -> np.ndarray:
    """Projects features of test images onto the affine span of the training features.

    The solution of min_w ||(x - mean - (T - mean)^T w) / scale||^2 for each target x, from the
    Gram matrix of the training features in float64, summed over blocks of units.

    Args:
        training: (m, ...) features of the training images; duplicates do no harm.
        targets: (n, ...) true features of the test images.
        scale: (...) the standard deviation of each unit, for the projection of standardised
            features; a unit whose scale is 0 does not count. None: all units count as they are.

    Returns:
        (n, ...) float32, the best prediction of any decoder whose voxels and penalty all units
        share, in the units of the features.

    Raises:
        InputError: training and test features differ in shape.

    References:
        arXiv:2509.15832 (output dimension collapse: the best possible prediction).
    """
    training, targets = np.asarray(training), np.asarray(targets)
    if training.shape[1:] != targets.shape[1:]:
        raise InputError(
            f"training images have shape {training.shape[1:]} and targets {targets.shape[1:]}: "
            "expected the same."
        )
    rows, wanted = training.reshape(len(training), -1), targets.reshape(len(targets), -1)
    weight = np.ones(rows.shape[1]) if scale is None else np.asarray(scale, np.float64).ravel()
    weight = np.where(weight > 0, 1 / np.where(weight > 0, weight, 1), 0)
    gram, cross = np.zeros((len(rows), len(rows))), np.zeros((len(rows), len(wanted)))
    for place, mean, block in _centred(rows):
        block *= weight[place]
        gram += block @ block.T
        cross += block @ ((wanted[:, place] - mean) * weight[place]).T
    weights = _least_squares(gram, cross)
    projected = np.empty(wanted.shape, np.float32)
    for place, mean, block in _centred(rows):
        projected[:, place] = weights @ block + mean
    return projected.reshape(targets.shape)


def _least_squares(gram: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """(n, m) weights of centred rows, of least norm, from their (m, m) and (m, n) products."""
    from scipy.linalg import cho_solve, lapack  # slow to import

    # Their sum is 0: what is added along (1, ..., 1), their mean variance, has no effect.
    filled = gram + np.trace(gram) / len(gram) ** 2
    factor, failed = lapack.dpotrf(filled)
    if not failed and lapack.dpocon(factor, np.linalg.norm(filled, 1))[0] > SAFE:
        return cho_solve((factor, False), cross).T
    variance, vectors = np.linalg.eigh(gram)
    kept = variance > RANK_TOLERANCE * max(variance[-1], 1e-300)
    basis = vectors[:, kept] / np.sqrt(variance[kept])  # orthonormal over the rows
    return cross.T @ basis @ basis.T


def _centred(rows: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Blocks of units of (m, units) rows: their place, mean, and rows about it, in float64."""
    for start in range(0, rows.shape[1], BLOCK):
        place = slice(start, start + BLOCK)
        block = rows[:, place].astype(np.float64)
        mean = block.mean(axis=0)
        yield place, mean, block - mean
