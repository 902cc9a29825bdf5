"""Reads `.npz` and `.npy` files, whatever is in them: arrays, or one error that says why not."""

import os
import sys
from collections.abc import Collection

import numpy as np

from fmri_jax.errors import one_line


class CorruptError(Exception):
    """A file is not what it should be; the message says why in one line."""


def read_npz(
    path: str | os.PathLike[str], used: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an archive. Nothing is unpickled.

    Args:
        path: of the file.
        used: names of arrays that are read, of others only the names; None reads all.

    Returns:
        Name -> array, empty where it was not read.

    Raises:
        FileNotFoundError: there is no such file.
        CorruptError: the archive, or an array in it, is corrupt or holds Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise CorruptError("it is no .npz archive")
            found = {
                name: archive[name] if used is None or name in used else np.empty(0)
                for name in archive.files
            }
    except (FileNotFoundError, CorruptError):
        raise
    except Exception as error:  # NumPy, zipfile and zlib have a dozen kinds for a corrupt file
        raise CorruptError(_reason(error)) from error
    for name, array in found.items():
        if not isinstance(array, np.ndarray):  # NumPy gives the bytes of a member that is no .npy
            raise CorruptError(f"its member {name!r} is no array")
        _check_text(array, f"its array {name!r}")
    return found


def read_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of an `.npy` file; errors as `read_npz`."""
    try:
        found = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise CorruptError(_reason(error)) from error
    if not isinstance(found, np.ndarray):
        found.close()
        raise CorruptError("it is an archive of arrays")
    _check_text(found, "it")
    return found


def _check_text(array: np.ndarray, what: str) -> None:
    """Rejects text that NumPy reads and Python cannot hold: it fails wherever it is used first."""
    if array.dtype.kind == "U":
        points = np.ascontiguousarray(array).view(array.dtype.byteorder + "u4")
        if points.size and points.max() > sys.maxunicode:
            raise CorruptError(f"{what} holds text with characters that do not exist")


def _reason(error: Exception) -> str:
    """What is wrong; NumPy takes whatever it does not know for a pickle and advises to load it."""
    text = one_line(error)
    return "it is no array of NumPy's" if text.startswith("This file contains pickled") else text
