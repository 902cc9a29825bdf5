"""Reads what was seen and what was reconstructed: array files, or two folders matched by name."""

import pathlib

import numpy as np

from fmri_jax.data import array_files
from fmri_jax.data.images import list_images, read_named, sizes_of
from fmri_jax.data.recording import IMAGERY, TRAIN
from fmri_jax.errors import InputError
from fmri_jax.evaluation.images import as_images
from fmri_jax.files import place
from fmri_jax.pipeline.image_run import ImagePairs

TARGETS = ("targets", "images", "stimuli")
RECONSTRUCTED = ("reconstructions", "reconstructed", "images")


def read_pairs(
    targets: pathlib.Path,
    reconstructed: pathlib.Path,
    training: pathlib.Path | None = None,
    size: int | None = None,
) -> ImagePairs:
    """Reads targets and reconstructions.

    Args:
        targets: an `.npz` or `.npy` of images (n, h, w, c) or (n, h, w), uint8 or in [0, 1]; a
            folder or zip of image files; or a run's `reconstructions.npz`.
        reconstructed: likewise; files of two folders belong together by name, without suffix.
        training: images that the method was trained on, for identification among them.
        size: pixels per side that images of folders are resized to; None takes the size of the
            reconstructions, which then has to be one.

    Raises:
        InputError: a file cannot be read, or what it holds does not fit the others.
    """
    targets, reconstructed = place(targets), place(reconstructed)
    folders = [_is_folder(path) for path in (targets, reconstructed)]
    if folders[0] != folders[1]:
        raise InputError(
            f"{targets} and {reconstructed} are an array file and a folder: expected two array "
            "files, whose rows belong together, or two folders, whose files do by name."
        )
    if folders[0]:
        names, seen, made = _matched(targets, reconstructed, size)
    else:
        seen, made = _array(targets, TARGETS), _array(reconstructed, RECONSTRUCTED)
        names = [f"image {i}" for i in range(len(seen))]
    if seen.shape != made.shape:
        raise InputError(
            f"{targets} holds images of shape {seen.shape} and {reconstructed} of {made.shape}: "
            "expected one reconstruction per image, in the same size."
        )
    known = None
    if training is not None:
        known = _training(place(training), seen.shape[1:])
    return ImagePairs(seen, made, names, training=known)


def _is_folder(path: pathlib.Path) -> bool:
    return path.is_dir() or path.suffix.lower() == ".zip"


def _array(path: pathlib.Path, keys: tuple[str, ...]) -> np.ndarray:
    """The images under the first of `keys` that an array file has, or its only array."""
    arrays = array_files.read(path)
    found = [key for key in keys if key in arrays] or list(arrays)
    if not found or (len(found) > 1 and found[0] not in keys):
        raise InputError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: expected images under "
            f"{' or '.join(keys)}."
        )
    images = _stack(arrays[found[0]], f"{path}: {found[0]}")
    split = arrays.get("split")
    if split is not None and split.shape == images.shape[:1]:
        seen = ~np.isin(split, [TRAIN, IMAGERY])  # a run's own file
        images = images[seen if seen.any() else split != TRAIN]
    return images


def _stack(images: np.ndarray, where: str) -> np.ndarray:
    """(n, h, w, c) float32 in [0, 1]."""
    return as_images(images[..., None] if images.ndim == 3 else images, where).astype(np.float32)


def _matched(
    targets: pathlib.Path, reconstructed: pathlib.Path, size: int | None
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, targets and reconstructions of two folders whose files have the same names."""
    files = [_by_stem(path) for path in (targets, reconstructed)]
    for here, there, path in (
        (files[0], files[1], reconstructed),
        (files[1], files[0], targets),
    ):
        missing = [name for name in here if name not in there]
        if missing:
            raise InputError(
                f"{path} has no file for {missing[0]!r}, one of {len(missing)} without a "
                "counterpart: expected the same names in both folders, whatever their suffixes."
            )
    names = list(files[0])
    if size is None:
        size = _size(reconstructed, [files[1][name] for name in names])
    stacks = [
        read_named(str(path), [stems[name] for name in names], size).astype(np.float32) / 255
        for path, stems in zip((targets, reconstructed), files, strict=True)
    ]
    return names, stacks[0], stacks[1]


def _by_stem(path: pathlib.Path) -> dict[str, str]:
    """Name without suffix -> file, of all images of a folder or zip."""
    found: dict[str, str] = {}
    for name in list_images(str(path)):
        stem = str(pathlib.PurePosixPath(name).with_suffix(""))
        if stem in found:
            raise InputError(
                f"{path} holds {found[stem]!r} and {name!r}: expected one image of each name."
            )
        found[stem] = name
    if not found:
        raise InputError(f"{path} holds no image: expected PNG, JPEG or other image files.")
    return found


def _size(path: pathlib.Path, names: list[str]) -> int:
    """The side of square images of one size."""
    found = dict(zip(names, sizes_of(str(path), names), strict=True))
    if bad := [name for name, size in found.items() if size is None]:
        raise InputError(f"{path}: {bad[0]} is no image, or corrupt: replace or remove it.")
    sizes = {(size[1], size[0]) for size in found.values() if size}
    width, height = next(iter(sizes))
    if len(sizes) > 1 or width != height:
        shown = ", ".join(f"{w} x {h}" for w, h in sorted(sizes)[:3])
        raise InputError(
            f"{path} holds images of {shown} pixels: expected square ones of one size; give "
            "--size to resize all."
        )
    return width


def _training(path: pathlib.Path, shape: tuple[int, ...]) -> np.ndarray:
    """Training images at the size of the others."""
    if _is_folder(path):
        names = list(_by_stem(path).values())
        images = read_named(str(path), names, shape[0]).astype(np.float32) / np.float32(255)
    else:
        images = _array(path, ("images", "targets"))
    if images.shape[1:] != shape:
        raise InputError(
            f"{path} holds training images of shape {images.shape[1:]}: expected {shape}, as the "
            "reconstructions have."
        )
    return images
