"""Files of arrays that people bring, `.npz` or `.npy`, read in a process of its own (`apart`)."""

import pathlib
import zipfile

import numpy as np

from fmri_jax import apart
from fmri_jax.archives import CorruptError, read_npy, read_npz
from fmri_jax.errors import InputError


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` by name, or that of an `.npy` under the name "images".

    Raises:
        InputError: the file is missing, or holds something else than plain arrays.
    """
    return apart.call_on(f"{__name__}:arrays_of", path)


def arrays_of(name: str) -> dict[str, np.ndarray]:
    """As `read`, in this process."""
    path = pathlib.Path(name)
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
