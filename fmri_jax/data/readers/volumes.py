"""The scans of one run: the voxels of the masks, read once and scaled volume by volume."""

import pathlib
from typing import Any

import numpy as np

from fmri_jax.data.readers.masks import Masks, check_grid
from fmri_jax.data.readers.nifti_files import CORRUPT
from fmri_jax.errors import InputError


def read_scans(path: pathlib.Path, image: Any, masks: Masks) -> np.ndarray:
    """The voxels of the masks in each volume, without a copy of all voxels as floats.

    Args:
        path: the file, for messages.
        image: as `opened` gives it.
        masks: the voxels.

    Returns:
        (volumes, voxels) float32, finite.

    Raises:
        InputError: the file is corrupt, its grid is another one, or a value is not finite.
    """
    check_grid(path, image, masks)
    if not image.shape[3]:
        raise InputError(f"{path} has shape {image.shape}, no volumes: expected some.")
    if image.get_data_dtype().kind not in "iuf":
        raise InputError(
            f"{path} holds {image.get_data_dtype()}: expected real numbers; convert it."
        )
    try:
        stored = np.asarray(image.dataobj.get_unscaled())
    except CORRUPT as error:
        raise InputError(f"{path} is corrupt ({error}): copy it again.") from None
    slope, offset = image.dataobj.slope, image.dataobj.inter
    by_volume = stored.reshape(-1, stored.shape[3], order="F").T  # a view: x runs fastest in a file
    inside = np.ravel_multi_index(np.nonzero(masks.brain), masks.brain.shape, order="F")
    scans = np.empty((len(by_volume), len(inside)), np.float32)
    for volume, row in zip(by_volume, scans, strict=True):
        row[...] = volume[inside] * slope + offset
    infinite = int((~np.isfinite(scans)).any(axis=0).sum())
    if infinite:
        raise InputError(
            f"{path} holds values that are not finite in {infinite} of {scans.shape[1]} "
            "voxels of the masks: expected numbers; leave them out of the masks."
        )
    return scans
