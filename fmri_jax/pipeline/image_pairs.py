"""Reads what was seen and what was reconstructed: array files, or two folders matched by name."""

import io
import pathlib
import zipfile

import numpy as np
from PIL import Image

from fmri_jax.archives import CorruptError, read_npy, read_npz
from fmri_jax.data.images import image_files, list_images, read_named
from fmri_jax.data.recording import IMAGERY, TRAIN
from fmri_jax.errors import InputError
from fmri_jax.evaluation.images import as_images
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
        known = _training(training, seen.shape[1:])
    return ImagePairs(seen, made, names, training=known)


def _is_folder(path: pathlib.Path) -> bool:
    return path.is_dir() or path.suffix.lower() == ".zip"


def _array(path: pathlib.Path, keys: tuple[str, ...]) -> np.ndarray:
    """The images under the first of `keys` that an array file has, or its only array."""
    arrays = _arrays(path)
    found = [key for key in keys if key in arrays] or list(arrays)
    if not found or (len(found) > 1 and found[0] not in keys):
        raise InputError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: expected images under "
            f"{' or '.join(keys)}."
        )
    images = _stack(arrays[found[0]], f"{path}: {found[0]}")
    split = arrays.get("split")
    if split is not None and len(split) == len(images):
        seen = ~np.isin(split, [TRAIN, IMAGERY])  # a run's own file
        images = images[seen if seen.any() else split != TRAIN]
    return images


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz`, or that of an `.npy` under the name "images"."""
    try:
        if zipfile.is_zipfile(path):
            return read_npz(path)
        return {"images": read_npy(path)}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: give an .npz, an .npy or a folder.") from None
    except (OSError, CorruptError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): expected .npz or .npy with plain arrays."
        ) from error


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
    with image_files(str(path)) as (_, content_of):
        sizes = set()
        for name in names:
            try:
                with Image.open(io.BytesIO(content_of(name))) as picture:
                    sizes.add(picture.size)
            except OSError as error:
                raise InputError(f"{path}: {name} cannot be read ({error}).") from error
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
