"""Images as priors take them."""

from typing import Any

import numpy as np

from fmri_jax.arrays import as_images
from fmri_jax.errors import InputError


def as_taken(images: Any, size: int) -> np.ndarray:
    """Images (n, size, size, 3), uint8 or in [0, 1], as float32 in [0, 1].

    Raises:
        InputError: they are of another size.
    """
    rows = as_images(images, "images").astype(np.float32)
    if rows.shape[1:] != (size, size, 3):
        raise InputError(
            f"images have shape {rows.shape[1:]}: this prior takes {(size, size, 3)}; resize them."
        )
    return rows
