"""Masks: which voxels are taken, and which of them belong to each region."""

import dataclasses
import pathlib
import re
from typing import Any

import numpy as np

from fmri_jax.data.readers.folders import is_hidden
from fmri_jax.data.readers.nifti_files import CORRUPT, opened
from fmri_jax.errors import InputError

_BRAIN = ("brain", "mask", "brain_mask", "brainmask")
_ROUNDING = 1e-3  # how far a stored 0 or 1 may lie off: masks saved as integers with a slope do
_SAME_PLACE = 0.05  # voxels by which grids may lie apart: rounding of affines, qform beside sform


@dataclasses.dataclass(frozen=True)
class Masks:
    """The voxels of a recording.

    Attributes:
        brain: (x, y, z) bool, the voxels that are taken.
        affine: (4, 4), voxel indices to mm.
        rois: name of a region -> (voxels,) bool among those taken.
    """

    brain: np.ndarray
    affine: np.ndarray
    rois: dict[str, np.ndarray]


def read_masks(folder: pathlib.Path) -> Masks:
    """Reads the 3-D NIfTI files of a folder.

    A mask holds 0 and 1. What lies within 0.001 of them is taken as such, because a mask that was
    saved as integers with a slope comes back as 0.99999994; NaN is outside.

    Raises:
        InputError: there are none, one is no mask, is empty, or lies on another grid.
    """
    found = sorted(folder.glob("*.nii*")) if folder.is_dir() else []
    files = [file for file in found if not is_hidden(file.name)]
    if not files:
        raise InputError(
            f"{folder} holds no masks: expected at least one 3-D NIfTI mask on the grid of the "
            "volumes, such as brain.nii.gz or V1.nii.gz; name their folder as masks."
        )
    grids = {re.sub(r"\.nii(\.gz)?$", "", file.name): _read(file) for file in files}
    (first, affine), *_ = grids.values()
    for name, (values, other) in grids.items():
        if values.shape != first.shape or not same_place(other, affine, first.shape):
            raise InputError(
                f"{folder}: mask {name} has another grid than {next(iter(grids))}: expected all "
                "masks in one space; resample it."
            )
    brains = [name for name in grids if name.lower() in _BRAIN]
    chosen = brains[:1] or list(grids)
    brain = np.any([grids[name][0] for name in chosen], axis=0)
    if not brain.any():
        raise InputError(f"{folder}: the mask {chosen[0]} is empty: expected some voxels.")
    rois = {name: values[brain] for name, (values, _) in grids.items() if name not in brains}
    return Masks(brain, affine, rois)


def same_place(one: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether two affines put each voxel of a grid at the same place, to 1/20 of a voxel."""
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in shape], [1], indexing="ij"), axis=-1)
    apart = corners.reshape(-1, 4) @ (one - other).T
    size = np.sqrt((other[:3, :3] ** 2).sum(axis=0)).min()
    return bool(np.sqrt((apart[:, :3] ** 2).sum(axis=1)).max() <= _SAME_PLACE * size)


def check_grid(path: pathlib.Path, image: Any, masks: Masks) -> None:
    """Rejects volumes that are not four axes on the grid of the masks.

    Raises:
        InputError: they are not.
    """
    if image.ndim == 3:
        raise InputError(
            f"{path} has shape {image.shape}: expected four axes, all volumes of a run in one "
            "file, and this is one volume; join a run's files in their order with "
            "nilearn.image.concat_imgs or fslmerge -t, and describe them in one table."
        )
    if image.ndim != 4:
        raise InputError(
            f"{path} has shape {image.shape}: expected four axes, (x, y, z, time), not "
            f"{image.ndim}; if an axis has length 1, drop it with numpy.squeeze and save the file "
            "again; several 4-D files are joined by nilearn.image.concat_imgs."
        )
    if image.shape[:3] != masks.brain.shape:
        raise InputError(
            f"{path} has shape {image.shape}: expected {masks.brain.shape} and volumes, the grid "
            "of the masks; resample one of them."
        )
    if not same_place(image.affine, masks.affine, masks.brain.shape):
        raise InputError(
            f"{path} lies elsewhere in space than the masks (their affines differ): resample one "
            "of them to the other."
        )


def _read(file: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """(x, y, z) bool and affine of one mask."""
    image = opened(file)
    try:
        values = np.asanyarray(image.dataobj)
    except CORRUPT as error:
        raise InputError(f"{file} is corrupt ({error}): copy it again.") from None
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    inside = np.nan_to_num(values, nan=0.0) if values.dtype.kind == "f" else values
    if values.ndim != 3 or np.abs(inside - (inside > 0.5)).max() > _ROUNDING:
        raise InputError(
            f"{file} is no mask: its shape is {values.shape} and its values lie from "
            f"{np.nanmin(values):g} to {np.nanmax(values):g}; expected three axes of 0 and 1."
        )
    return inside > 0.5, image.affine
