"""The files of the prepared layout, and how they become a recording."""

import dataclasses
import pathlib

import h5py
import numpy as np

from fmri_jax.archives import CorruptError, read_npy
from fmri_jax.data.images import resize
from fmri_jax.data.readers.hdf5_files import own
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError

TRIALS_A_SESSION = 750
_BLOCK = 256  # images that are read at once


@dataclasses.dataclass(frozen=True)
class Files:
    """Where one subject's files are.

    Attributes:
        subject: 1 to 8.
        betas: responses.
        images: all images of NSD.
        order: which image each trial showed.
        shared: which images every subject saw.
        rois: masks of regions, or None.
    """

    subject: int
    betas: pathlib.Path
    images: pathlib.Path
    order: pathlib.Path
    shared: pathlib.Path
    rois: pathlib.Path | None

    def paths(self) -> list[pathlib.Path]:
        """Those files that there are."""
        everything = (self.betas, self.images, self.order, self.shared, self.rois)
        return [path for path in everything if path is not None]


def find(folder: pathlib.Path, subject: int) -> Files:
    """Finds a subject's files in a folder.

    Raises:
        InputError: the subject does not exist, or a file is missing.
    """
    if not 1 <= subject <= 8:
        raise InputError(f"subject is {subject}: expected 1 to 8, the subjects of NSD.")

    def one(what: str, *patterns: str) -> pathlib.Path:
        for pattern in patterns:
            if found := sorted(folder.glob(pattern)):
                return found[0]
        raise InputError(
            f"{folder} holds no {patterns[0]}: expected the {what} of the Natural Scenes Dataset "
            "in its prepared layout; get it under NSD's terms (https://naturalscenesdataset.org) "
            "and put it there."
        )

    rois = sorted(folder.glob(f"rois_subj{subject:02}.h*5"))
    return Files(
        subject,
        betas=one("responses", f"betas_all_subj{subject:02}*.h*5"),
        images=one("images", "coco_images_*.h*5", "nsd_stimuli.h*5"),
        order=one("order of trials", "COCO_73k_subj_indices.h*5"),
        shared=one("list of shared images", "shared1000.npy"),
        rois=rois[0] if rois else None,
    )


def convert(files: Files, image_size: int, sessions: int | None) -> Recording:
    """Joins the files into a recording; only images that the subject saw are read.

    Raises:
        InputError: a file is damaged or does not fit the others.
    """
    name = f"subj{files.subject:02}"
    with h5_file(files.order) as file:
        order = _dataset(file, files.order, name)[:].astype(np.int64).ravel()
    with h5_file(files.betas) as file:
        betas = _dataset(file, files.betas, "betas")
        if betas.ndim != 2 or len(betas) > len(order):
            raise InputError(
                f"{files.betas} has shape {betas.shape}: expected (trials, voxels) with at most "
                f"{len(order)} trials, the length of {name} in {files.order.name}."
            )
        trials = min(len(betas), (sessions or 0) * TRIALS_A_SESSION or len(betas))
        fmri = betas[:trials].astype(np.float32)
    shared = _shared(files.shared)
    shown, stimulus = np.unique(order[:trials], return_inverse=True)
    return Recording(
        fmri=fmri,
        stimulus=stimulus.astype(np.int32),
        images=_read_images(files, shown, len(shared), image_size),
        run=(np.arange(trials) // TRIALS_A_SESSION).astype(np.int32),
        rois=_read_rois(files.rois, fmri.shape[1]),
        stimulus_names=tuple(f"nsd{number:05}" for number in shown),
        split=np.where(shared[order[:trials]], "test", TRAIN),
        description=f"Subject {files.subject} of the Natural Scenes Dataset (Allen et al. 2022).",
    )


def _shared(path: pathlib.Path) -> np.ndarray:
    try:
        shared = read_npy(path)
    except (OSError, CorruptError) as error:
        raise InputError(f"{path} cannot be read ({error}): copy it again.") from None
    if shared.ndim != 1 or shared.dtype != bool:
        raise InputError(
            f"{path} is {shared.dtype} of shape {shared.shape}: expected bool, one an image of NSD."
        )
    return shared


def _read_images(files: Files, shown: np.ndarray, total: int, size: int) -> np.ndarray:
    """(shown, size, size, 3) uint8, the images of these numbers."""
    with h5_file(files.images) as file:
        brick = file.get("imgBrick")
        stored = own(brick, file) if brick is not None else _dataset(file, files.images, "images")
        first = brick is None  # channels come first
        if stored.ndim != 4 or stored.shape[1 if first else 3] != 3 or len(stored) != total:
            raise InputError(
                f"{files.images} has shape {stored.shape}: expected {total} RGB images, as many as "
                f"{files.shared.name} has entries."
            )
        if shown[0] < 0 or shown[-1] >= total:
            raise InputError(
                f"{files.order} names images {shown[0]} to {shown[-1]}: expected 0 to {total - 1}, "
                "counted from 0; subtract 1 if they count from 1."
            )
        images = np.empty((len(shown), size, size, 3), np.uint8)
        for start in range(0, len(shown), _BLOCK):
            block = stored[shown[start : start + _BLOCK]]
            block = _as_uint8(np.moveaxis(block, 1, -1) if first else block, files.images)
            images[start : start + _BLOCK] = resize(block, size)
    return images


def _as_uint8(images: np.ndarray, path: pathlib.Path) -> np.ndarray:
    if images.dtype == np.uint8:
        return images
    low, high = float(images.min()), float(images.max())
    if images.dtype.kind != "f" or not (low >= 0 and high <= 1):
        raise InputError(
            f"{path} holds {images.dtype} from {low:g} to {high:g}: expected uint8, or real "
            "numbers from 0 to 1."
        )
    return np.rint(images.astype(np.float32) * 255).astype(np.uint8)


def _read_rois(path: pathlib.Path | None, voxels: int) -> dict[str, np.ndarray]:
    """The regions; "nsdgeneral" is there always, for the layout holds its voxels alone."""
    rois = {"nsdgeneral": np.ones(voxels, bool)}
    if path is None:
        return rois
    with h5_file(path) as file:
        for name in file:
            mask = _dataset(file, path, name)[:].ravel()
            if mask.shape != (voxels,) or not np.isin(mask, (0, 1)).all():
                raise InputError(
                    f"{path}: {name} has {mask.size} entries of {mask.dtype}: expected {voxels} of "
                    "0 and 1, one a voxel of the betas."
                )
            rois[name] = mask.astype(bool)
    return rois


def h5_file(path: pathlib.Path) -> h5py.File:
    """Opens an HDF5 file.

    Raises:
        InputError: it is damaged.
    """
    try:
        return h5py.File(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read as HDF5 ({error}): copy it again.") from None


def _dataset(file: h5py.File, path: pathlib.Path, name: str) -> h5py.Dataset:
    if not isinstance(file.get(name), h5py.Dataset):
        raise InputError(
            f"{path} holds {', '.join(file) or 'nothing'}: expected the dataset {name!r}."
        )
    return own(file[name], file)
