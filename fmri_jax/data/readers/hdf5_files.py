"""HDF5 files as what they hold themselves: nothing of other files on this computer comes in.

HDF5 can name other files as the place of a dataset's numbers, of a part of it or of the dataset
itself. In a stranger's file that would read whatever this user may read.
"""

from typing import Any

import h5py

from fmri_jax.errors import InputError


def own(found: Any, file: h5py.File) -> Any:
    """A dataset or group that was looked up in a file, if it lies there.

    Raises:
        InputError: it, or its numbers, lie in another file.
    """
    how = ""
    if found.file.filename != file.filename:
        how = "a link to another file"
    elif isinstance(found, h5py.Dataset) and found.external:
        how = "a dataset whose numbers lie in another file"
    elif isinstance(found, h5py.Dataset) and found.is_virtual:
        how = "a dataset that is put together from other files"
    if how:
        raise InputError(
            f"{file.filename} holds {how} ({found.name}), which is not read: expected a file that "
            "holds its own numbers; copy them into it, as h5repack does."
        )
    return found
