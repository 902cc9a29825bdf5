"""Stimulus images: stacks of one size, and folders or zips of files."""

import numpy as np
from PIL import Image

from fmri_jax.errors import InputError


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """Resizes a stack of images to a square, whatever their aspect, as Shen et al. (2019) do.

    Pillow's bicubic filter widens with the reduction, so shrinking does not alias.

    Args:
        images: (n, height, width, channels) uint8, 1 or 3 channels.
        size: px, the side of the square.

    Returns:
        (n, size, size, channels) uint8; the same array where nothing is to be done.

    Raises:
        InputError: `size` is not positive.
    """
    if size < 1:
        raise InputError(f"image size is {size} px: expected at least 1.")
    n, height, width, channels = images.shape
    if (height, width) == (size, size):
        return images
    resized = np.empty((n, size, size, channels), np.uint8)
    for source, target in zip(images, resized, strict=True):
        picture = Image.fromarray(source if channels == 3 else source[..., 0])
        picture = picture.resize((size, size), Image.Resampling.BICUBIC)
        target[...] = np.asarray(picture).reshape(size, size, channels)
    return resized
