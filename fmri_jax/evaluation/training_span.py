"""Projection onto the span of the training images: the best reconstruction inside of it.

A linear decoder whose voxels and penalty are shared by all pixels, such as the ridge baseline, can
only make weighted sums of training images: whatever the responses, it never leaves their span. How
well the span holds the test images bounds every such decoder, and one that scores near this bound
is limited by its training images, not by the recording. Decoders with voxels of their own for each
pixel or element, such as local decoders, weigh training trials anew in each part of the image: they
leave the span and are not bound.
"""

from typing import Any

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.images import as_images

# Directions with less than this share of the largest variance are rounding.
RANK_TOLERANCE = 1e-10


def project_onto_span(training_images: Any, targets: Any, clip: bool = True) -> np.ndarray:
    """Projects test images onto the affine span of the training images (least squares).

    The solution of min_w ||x - mean - (T - mean)^T w||^2 for each target x, by one
    eigendecomposition of the Gram matrix of the training images in float64.

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
    if training.shape[1:] != targets.shape[1:]:
        raise InputError(
            f"training images have shape {training.shape[1:]} and targets {targets.shape[1:]}: "
            "expected the same."
        )
    rows = training.reshape(len(training), -1).astype(np.float64)
    mean = rows.mean(axis=0)
    rows -= mean
    centred = targets.reshape(len(targets), -1) - mean
    variance, vectors = np.linalg.eigh(rows @ rows.T)
    kept = variance > RANK_TOLERANCE * max(variance[-1], 1e-300)
    basis = vectors[:, kept] / np.sqrt(variance[kept])  # rows.T @ basis is orthonormal
    weights = basis @ (basis.T @ (rows @ centred.T))
    projected = (weights.T @ rows + mean).reshape(targets.shape)
    return (np.clip(projected, 0, 1) if clip else projected).astype(np.float32)
