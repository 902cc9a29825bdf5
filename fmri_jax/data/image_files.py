"""The image files of a folder or zip: which there are, and what is in one of them.

Decoding them is `data.images`' part. Nothing that a zip holds is ever written to disk.
"""

import contextlib
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterator, Sequence

from fmri_jax.data.readers.folders import check_fetched, files_in
from fmri_jax.errors import InputError, one_line
from fmri_jax.files import place

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
_LARGEST_FILE = 256 * 2**20  # bytes; a photograph has a few million

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
        except (zipfile.BadZipFile, NotImplementedError, ValueError, MemoryError, OSError) as error:
            raise InputError(
                f"{path} is not a zip ({one_line(error)}): expected a folder or a zip of images."
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
        if pathlib.PurePosixPath(name).suffix.lower() in SUFFIXES
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
    except MemoryError:
        raise
    except Exception as error:  # zipfile, zlib, lzma and bz2 have a dozen kinds for a corrupt file
        raise InputError(
            f"{path}: {name} cannot be unpacked ({one_line(error)}): pack it again."
        ) from None


def bytes_of(path: str, names: Sequence[str]) -> int:
    """Bytes of these files; of a zip, all that it has."""
    root = place(path)
    files = [root / name for name in names] if root.is_dir() else [root]
    found = 0
    for file in files:
        with contextlib.suppress(OSError):  # whoever opens it says what is wrong
            found += os.path.getsize(file)
    return found
