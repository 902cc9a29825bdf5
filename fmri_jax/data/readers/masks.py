"""Masks: which voxels are taken, and which of them belong to each region."""

import dataclasses
import pathlib
import re
from collections.abc import Sequence
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


def read_masks(folder: pathlib.Path, preprocessed: Sequence[pathlib.Path] = ()) -> Masks:
    """Reads the 3-D NIfTI files of a folder.

    A mask holds 0 and 1. What lies within 0.001 of them is taken as such, because a mask that was
    saved as integers with a slope comes back as 0.99999994; NaN is outside.

    Args:
        folder: of the masks, each named after its region.
        preprocessed: volumes of fMRIPrep. Without the folder, the voxels that are in the brain
            masks of all of them are taken (`..._desc-brain_mask` beside `..._desc-preproc_bold`).

    Raises:
        InputError: there are none, one is no mask, is empty, or lies on another grid.
    """
    found = sorted(folder.glob("*.nii*")) if folder.is_dir() else []
    files = [file for file in found if not is_hidden(file.name)]
    if not folder.exists() and preprocessed and all(map(brain_beside, preprocessed)):
        return _common(folder, [brain_beside(file) for file in preprocessed])
    if not files:
        raise InputError(
            f"{folder} holds no masks: expected at least one 3-D NIfTI mask on the grid of the "
            "volumes, such as brain.nii.gz or V1.nii.gz; name their folder as masks."
        )
    grids = {re.sub(r"\.nii(\.gz)?$", "", file.name): _read(file) for file in files}
    _, affine = _one_grid(folder, grids)
    brains = [name for name in grids if name.lower() in _BRAIN]
    chosen = brains[:1] or list(grids)
    brain = np.any([grids[name][0] for name in chosen], axis=0)
    if not brain.any():
        raise InputError(f"{folder}: the mask {chosen[0]} is empty: expected some voxels.")
    rois = {name: values[brain] for name, (values, _) in grids.items() if name not in brains}
    return Masks(brain, affine, rois)


def _one_grid(
    folder: pathlib.Path, grids: dict[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """The first of masks that are all on one grid."""
    (first, affine), *_ = grids.values()
    for name, (values, other) in grids.items():
        if values.shape != first.shape or not same_place(other, affine, first.shape):
            raise InputError(
                f"{folder}: mask {name} has another grid than {next(iter(grids))}: expected all "
                "masks in one space; resample it."
            )
    return first, affine


def brain_beside(volumes: pathlib.Path) -> pathlib.Path | None:
    """The brain mask that fMRIPrep writes beside preprocessed volumes."""
    name = volumes.name.replace("_desc-preproc_bold.nii", "_desc-brain_mask.nii")
    mask = volumes.with_name(name)
    return mask if mask != volumes and mask.exists() else None


def _common(folder: pathlib.Path, files: Sequence[pathlib.Path | None]) -> Masks:
    """The voxels that are in all masks."""
    grids = {file.name: _read(file) for file in files if file}
    _, affine = _one_grid(folder, grids)
    brain = np.all([values for values, _ in grids.values()], axis=0)
    if not brain.any():
        raise InputError(f"{files[0]} and its like have no voxel in common: expected some.")
    return Masks(brain, affine, {})


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
