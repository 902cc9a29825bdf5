"""Stimulus images: stacks of one size, from folders or zips of files.

Files are decoded in memory; nothing that a zip holds is ever written to disk.
"""

import contextlib
import io
import pathlib
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from PIL import Image

from fmri_jax.data.readers.folders import check_fetched, files_in
from fmri_jax.errors import InputError
from fmri_jax.files import place

T = TypeVar("T")

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
_CONVERTIBLE = {"RGB", "L", "1", "P", "CMYK", "YCbCr"}  # eight bits per channel, no transparency
_LARGEST_FILE = 256 * 2**20  # bytes; a photograph has a few million


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
    _check_size(size)
    n, height, width, channels = images.shape
    if (height, width) == (size, size):
        return images
    resized = np.empty((n, size, size, channels), np.uint8)
    for source, target in zip(images, resized, strict=True):
        picture = Image.fromarray(source if channels == 3 else source[..., 0])
        target[...] = _square(picture, size).reshape(size, size, channels)
    return resized


def centre_crop(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle `height` x `width` pixels of images (..., rows, columns, channels).

    Raises:
        InputError: the images are smaller.
    """
    rows, columns = images.shape[-3:-1]
    if height > rows or width > columns:
        raise InputError(
            f"images of {rows} x {columns} px cannot be cropped to {height} x {width}: expected "
            "images at least as large; set config.preparation.image_size."
        )
    top, left = (rows - height) // 2, (columns - width) // 2
    return images[..., top : top + height, left : left + width, :]


def list_images(path: str) -> list[str]:
    """The images of a folder (and its subfolders) or of a zip.

    Args:
        path: a folder or a `.zip` file.

    Returns:
        Their names relative to the folder, with "/" between parts, sorted.

    Raises:
        InputError: the folder or zip cannot be read.
    """
    with image_files(path) as (names, _):
        return names


def read_images(
    path: str, size: int, limit: int | None = None, seed: int = 0
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads the images of a folder or zip, all or some of them, in the order of their names.

    Args:
        path: a folder or a `.zip` file.
        size: px, the side of the square that every image is resized to.
        limit: how many to take, drawn at random; all when None.
        seed: of that draw.

    Returns:
        (n, size, size, 3) uint8, and the n names that `list_images` gives them.

    Raises:
        InputError: there are too few images, or as `read_named`.
    """
    names = list_images(path)
    if not names or len(names) < (limit or 0):
        raise InputError(
            f"{path} holds {len(names)} images ({', '.join(sorted(_SUFFIXES))}): expected "
            f"{limit or 'at least one'}."
        )
    if limit is not None:
        drawn = np.random.default_rng(seed).choice(len(names), limit, replace=False)
        names = [names[i] for i in sorted(drawn)]
    return read_named(path, names, size), tuple(names)


def read_named(path: str, names: Sequence[str], size: int, progress: bool = False) -> np.ndarray:
    """Reads the named images of a folder or zip.

    Grey, palette and CMYK images become RGB. What has no single meaning as eight-bit RGB is
    rejected: 16-bit and floating-point images, and images that are partly transparent.

    Args:
        path: a folder or a `.zip` file.
        names: as `list_images` gives them, in the order of the result.
        size: px, the side of the square that every image is resized to.
        progress: whether to draw a progress bar; tens of thousands of photographs take a minute.

    Returns:
        (n, size, size, 3) uint8.

    Raises:
        InputError: the folder or zip cannot be read, or an image is corrupt or of a kind that is
            rejected.
    """
    _check_size(size)
    images = np.empty((len(names), size, size, 3), np.uint8)
    with image_files(path) as (_, content_of):
        pairs = zip(names, images, strict=True)
        for name, image in _shown(pairs, len(names), path) if progress else pairs:
            image[...] = _decode(content_of(name), f"{path}: {name}", size)
    return images


def _shown(items: Iterable[T], n: int, path: str) -> Iterable[T]:
    """The items with a progress bar that bears the name of the folder or zip."""
    from tqdm.auto import tqdm

    return tqdm(items, pathlib.Path(path).name, n, unit="image", mininterval=0.5)


Files = tuple[list[str], Callable[[str], bytes]]


@contextlib.contextmanager
def image_files(path: str) -> Iterator[Files]:
    """The image files of a folder or zip: their names, and what reads one of them."""
    root = place(path)
    if root.is_dir():
        names = sorted(file.relative_to(root).as_posix() for file in files_in(root))
        yield _images_among(names), lambda name: _from_folder(root / name)
    elif root.is_file():
        try:
            archive = zipfile.ZipFile(root)
        except zipfile.BadZipFile:
            raise InputError(
                f"{path} is not a zip: expected a folder or a zip of images."
            ) from None
        with archive:
            yield _zip_names(archive, path), lambda name: _from_zip(archive, name, path)
    else:
        raise InputError(f"{path} does not exist: expected a folder or a zip of images.")


def _from_folder(file: pathlib.Path) -> bytes:
    check_fetched(file)
    return file.read_bytes()


def _images_among(names: list[str]) -> list[str]:
    """Those names that are images; hidden files and what macOS adds to zips are none."""
    return [
        name
        for name in names
        if pathlib.PurePosixPath(name).suffix.lower() in _SUFFIXES
        and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]


def _zip_names(archive: zipfile.ZipFile, path: str) -> list[str]:
    """The images of a zip; a name that points outside of it makes it untrustworthy."""
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    for name in names:
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise InputError(
                f"{path} holds {name!r}, a path outside of the zip: expected relative names; do "
                "not use this file."
            )
    if len(set(names)) < len(names):
        twice = next(name for name in sorted(names) if names.count(name) > 1)
        raise InputError(f"{path} holds {twice!r} twice: expected each name once; pack it again.")
    return _images_among(sorted(names))


def _from_zip(archive: zipfile.ZipFile, name: str, path: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > _LARGEST_FILE:
        raise InputError(f"{path}: {name} unpacks to {size} bytes: expected an image.")
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise InputError(f"{path}: {name} cannot be unpacked ({error}): pack it again.") from None


def _decode(content: bytes, where: str, size: int) -> np.ndarray:
    """The (size, size, 3) uint8 image in one file's content."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as picture:
                picture.load()
                return _square(_as_rgb(picture, where), size)
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{where} is too large ({error}): shrink it.") from None
    except (OSError, SyntaxError, ValueError) as error:
        reason = "it is no image" if isinstance(error, Image.UnidentifiedImageError) else error
        raise InputError(
            f"{where} cannot be decoded ({reason}): the file is corrupt; replace or remove it."
        ) from None


def _as_rgb(picture: Image.Image, where: str) -> Image.Image:
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema() != (255, 255):
            raise InputError(
                f"{where} is partly transparent: expected an opaque image; flatten it onto the "
                "background that the subject saw."
            )
        return picture.convert("RGB")
    if picture.mode not in _CONVERTIBLE:
        raise InputError(
            f"{where} has mode {picture.mode} (16-bit or floating point): expected 8 bits a "
            "channel; convert it."
        )
    return picture.convert("RGB")


def _square(picture: Image.Image, size: int) -> np.ndarray:
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))


def _check_size(size: int) -> None:
    if size < 1:
        raise InputError(f"image size is {size} px: expected at least 1.")
