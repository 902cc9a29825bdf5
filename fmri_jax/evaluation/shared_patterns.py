"""Patterns that every reconstruction shares: a texture of the method, not of what was seen.

A generator may stamp one texture, or the checkerboard of its upsampling, on all its images. Scores
hardly show it: detail and perceptual distances even reward it.
"""

from typing import NamedTuple

import numpy as np

PERIOD = 8  # px; finer structure than this counts, to which a stamped texture belongs
LEAST_SIDE = 32  # px; smaller images have no fine structure
LEAST_IMAGES = 5


class Patterns(NamedTuple):
    """What the fine structure of a set of images has in common."""

    shared: float  # share of its energy that is the same in all images, 0 to 1
    upsampling: float  # share of its energy at a period of two pixels, along either axis


def shared_patterns(images: np.ndarray, fold: np.ndarray | None = None) -> Patterns | None:
    """Measures the fine structure (periods below 8 px) that images share.

    Of n images with the fine structures h_i the shared energy is estimated without bias,
    (|sum h_i|^2 - sum |h_i|^2) / (n (n - 1)), and divided by their mean energy: 0 for images that
    have nothing in common, 1 for one texture on all.

    Args:
        images: (n, height, width, channels) in [0, 1].
        fold: (n,) the fold of each image, where each has a decoder of its own: what is shared is
            looked for within folds of at least five images, or in all where there are none.

    Returns:
        The shares; None for small or few images, or without any fine structure.
    """
    if len(images) < LEAST_IMAGES or min(images.shape[1:3]) < LEAST_SIDE:
        return None
    fold = np.zeros(len(images), int) if fold is None else np.asarray(fold)
    groups = [np.flatnonzero(fold == name) for name in np.unique(fold)]
    groups = [rows for rows in groups if len(rows) >= LEAST_IMAGES] or [np.arange(len(images))]
    found = [_of_group(images[rows]) for rows in groups]
    energy, shared, upsampling = np.sum(found, axis=0)
    if energy <= 1e-12:
        return None
    return Patterns(float(np.clip(shared / energy, 0, 1)), float(upsampling / energy))


def _of_group(images: np.ndarray) -> tuple[float, float, float]:
    """Energy of the fine structure, of what is shared, and at a period of two pixels; summed."""
    n, height, width = images.shape[:3]
    spectrum = np.fft.fft2(images, axes=(1, 2)) / (height * width)
    rows, columns = np.abs(np.fft.fftfreq(height)), np.abs(np.fft.fftfreq(width))
    fine = np.maximum(rows[:, None], columns) > 1 / PERIOD
    spectrum = spectrum[:, fine]  # (n, frequencies, channels)
    each = float(np.sum(np.abs(spectrum) ** 2))
    together = float(np.sum(np.abs(spectrum.sum(axis=0)) ** 2))
    at_two = (rows[:, None] > 0.5 - 0.75 / height) | (columns > 0.5 - 0.75 / width)
    energy = np.abs(spectrum[:, at_two[fine]]) ** 2
    return each, (together - each) / (n - 1), float(np.sum(energy))
