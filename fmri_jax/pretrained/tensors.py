"""Reads safetensors files: a header that says where each array lies, and the arrays.

They are read in this process (`apart` takes a second copy of large weights): the library is written
in Rust, which checks what it accesses, takes a header of at most 100 MB, and rejects arrays that do
not fill the file exactly, so that none takes more than the file has. `tests.fuzz` tries it.
"""

import pathlib

import numpy as np

from fmri_jax.errors import InputError


def load_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The arrays of a `.safetensors` file; nothing in it can run.

    Raises:
        InputError: the file is missing, corrupt, or of a type that NumPy does not have.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as safetensors ({error}): expected the publisher's float32 or "
            "float16 file; get it again."
        ) from error
