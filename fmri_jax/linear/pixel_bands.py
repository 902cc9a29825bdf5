"""Pixels as bands of spatial frequency, each decoded with a penalty of its own.

Coarse structure is decoded far better than fine detail. One penalty for all pixels, as the plain
ridge baseline has it, is too strong for the one and too weak for the other; in an orthonormal basis
of cosines (DCT-II) each octave has its own, and the squared errors of the bands add up to that of
the pixels.
"""

import numpy as np
from scipy.fft import dctn, idctn


def bands(height: int, width: int) -> np.ndarray:
    """(height, width) int: the band of each coefficient, 0 for the mean.

    Radial frequency in half cycles per image: 0; below 3; then octaves 3 to 6, 6 to 12 and so on.
    """
    rows, columns = np.arange(height)[:, None], np.arange(width)
    radius = np.hypot(rows, columns)
    octave = np.floor(np.log2(np.maximum(radius, 1.5) / 1.5)).astype(int)
    return np.where(radius == 0, 0, 1 + octave)


def names(height: int, width: int) -> list[str]:
    """The bands as names of decoded layers, from coarse to fine."""
    return [f"pixels band {band}" for band in range(bands(height, width).max() + 1)]


def coefficients(images: np.ndarray) -> dict[str, np.ndarray]:
    """Images (n, h, w, c) -> band -> (n, coefficients of the band, c) float32."""
    spectrum = dctn(np.asarray(images, np.float32), axes=(1, 2), norm="ortho")
    height, width = spectrum.shape[1:3]
    which = bands(height, width)
    return {
        name: np.ascontiguousarray(spectrum[:, which == band])
        for band, name in enumerate(names(height, width))
    }


def images_of(found: dict[str, np.ndarray], height: int, width: int) -> np.ndarray:
    """The inverse of `coefficients`: band -> (n, coefficients, c) to images (n, h, w, c)."""
    which, first = bands(height, width), next(iter(found.values()))
    spectrum = np.zeros((len(first), height, width, first.shape[-1]), np.float32)
    for band, name in enumerate(names(height, width)):
        spectrum[:, which == band] = found[name]
    return idctn(spectrum, axes=(1, 2), norm="ortho").astype(np.float32)
