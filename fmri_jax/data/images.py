"""Stimulus images: stacks of one size, from folders or zips of files.

Files are decoded in a process of its own (`apart`), one for up to 2 GiB of decoded images.
"""

import io
import pathlib
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from fmri_jax import apart, apart_memory
from fmri_jax.data.image_files import SUFFIXES, bytes_of, image_files
from fmri_jax.errors import InputError, one_line

_CONVERTIBLE = {"RGB", "L", "1", "P", "CMYK", "YCbCr"}  # eight bits per channel, no transparency
_MOST_APART = 2 * 2**30  # bytes of images that one process decodes, as it holds all of them


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
            f"{path} holds {len(names)} images ({', '.join(sorted(SUFFIXES))}): expected "
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
    block = max(1, _MOST_APART // (3 * size**2))
    images = np.empty((len(names) if len(names) > block else 0, size, size, 3), np.uint8)
    for start in range(0, max(1, len(names)), block):
        some = list(names[start : start + block])
        found = apart.call(
            f"{__name__}:decoded",
            path,
            bytes_of(path, some),
            **{"path": path, "names": some, "size": size},
            bar=[start, len(names)] if progress else None,
        )
        if len(names) <= block:
            return found
        images[start : start + block] = found
    return images


def decoded(path: str, names: list[str], size: int, bar: list[int] | None = None) -> np.ndarray:
    """As `read_named`, in this process.

    Args:
        path: a folder or zip.
        names: of the images.
        size: px.
        bar: how many images went before, and of how many in all: of a progress bar.
    """
    images = apart_memory.empty((len(names), size, size, 3), np.uint8)
    pairs: Iterable[tuple[str, np.ndarray]] = zip(names, images, strict=True)
    if bar:
        from tqdm.auto import tqdm

        shown = {"initial": bar[0], "total": bar[1], "unit": "image", "mininterval": 0.5}
        pairs = tqdm(pairs, pathlib.Path(path).name, **shown)
    with image_files(path) as (_, content_of):
        for name, image in pairs:
            apart_memory.note(f"{path}: {name}")
            image[...] = _decode(content_of(name), f"{path}: {name}", size)
    return images


def sizes_of(path: str, names: Sequence[str]) -> list[tuple[int, int] | None]:
    """Height and width of images, by their headers; None for a file that is no image.

    Args:
        path: a folder or a `.zip` file.
        names: as `list_images` gives them.

    Raises:
        InputError: the folder or zip cannot be read.
    """
    size = bytes_of(path, names)
    found = apart.call(f"{__name__}:headers", path, size, path=path, names=list(names))
    return [each and (each[0], each[1]) for each in found]


def headers(path: str, names: list[str]) -> list[tuple[int, int] | None]:
    """As `sizes_of`, in this process."""
    found: list[tuple[int, int] | None] = []
    with image_files(path) as (_, content_of):
        for name in names:
            apart_memory.note(f"{path}: {name}")
            content = io.BytesIO(content_of(name))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                    with Image.open(content) as picture:
                        found.append((picture.height, picture.width))
            except Exception:  # of Pillow's many readers, each raises what it likes
                found.append(None)
    return found


def _decode(content: bytes, where: str, size: int) -> np.ndarray:
    """The (size, size, 3) uint8 image in one file's content."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as picture:
                picture.load()
                return _square(_as_rgb(picture, where), size)
    except (InputError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{where} is too large ({error}): shrink it.") from None
    except Exception as error:  # of Pillow's many readers, each raises what it likes
        known = not isinstance(error, Image.UnidentifiedImageError)
        reason = one_line(error) if known else "it is no image"
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
