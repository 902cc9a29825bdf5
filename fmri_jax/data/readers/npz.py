"""The `.npz` recording: the format in which any lab can bring its own arrays.

`fmri_jax.data.readers.arrays` documents the keys. Nothing is unpickled.
"""

import os
import pathlib
import zipfile

import numpy as np

from fmri_jax.archives import CorruptError, read_npz
from fmri_jax.data import captions
from fmri_jax.data.readers.arrays import OPTIONAL, REQUIRED, session_from_arrays
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.files import place, replacing


def load(path: str, groups: str = "") -> Recording:
    """Reads an `.npz` recording.

    Args:
        path: the file.
        groups: the key that says which images depend on one another; by default `groups`.

    Returns:
        The recording, checked.

    Raises:
        InputError: the file is missing, corrupt or holds Python objects, or its content cannot be
            used.
    """
    if not pathlib.Path(path).is_file():
        raise InputError(f"{path} is not a file: expected an .npz recording; check the path.")
    return session_from_arrays(_read(path, groups), path, groups)


def save_npz(recording: Recording, path: str | os.PathLike[str]) -> None:
    """Writes a recording as `.npz`; `load` gives an equal recording back.

    The file appears complete or not at all: it is written beside its place and then renamed.

    Args:
        recording: the recording.
        path: the file to write; one that exists is replaced.
    """
    arrays = {
        "fmri": recording.fmri,
        "stimulus": recording.stimulus,
        "images": recording.images,
        "run": recording.run,
        "stimulus_names": np.asarray(recording.stimulus_names, np.str_),
        "split": recording.split,
        "simulated": np.asarray(recording.simulated),
        "description": np.asarray(recording.description),
        "subject": np.asarray(recording.subject),
        "modality": np.asarray(recording.modality),
    }
    if recording.captions:
        arrays["captions"] = captions.to_array(recording.captions)
    for key in ("groups", "categories"):
        if getattr(recording, key):
            arrays[key] = np.asarray(getattr(recording, key), np.str_)
    if recording.rois:
        arrays["roi_names"] = np.asarray(list(recording.rois), np.str_)
        arrays["roi_masks"] = np.stack(list(recording.rois.values()))
    with replacing(place(path)) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _read(path: str, groups: str) -> dict[str, np.ndarray]:
    """The arrays of the file; large ones that a recording does not use are left on disk."""
    with open(path, "rb") as file:
        begins = file.read(2) == b"PK"  # NumPy takes anything else for a pickle
    if not begins or not zipfile.is_zipfile(path):
        raise InputError(
            f"{path} is no .npz file, or a part of it is missing: expected what numpy.savez writes;"
            " copy or write it again."
        )
    try:
        return read_npz(path, used=(*REQUIRED, *OPTIONAL, *filter(None, [groups])))
    except (OSError, CorruptError) as error:
        if "pickle" in str(error).lower():
            raise InputError(
                f"{path} holds Python objects: expected plain arrays of numbers or text; write "
                "them without dtype=object."
            ) from None
        raise InputError(
            f"{path} cannot be read ({error}): the file is corrupt or was not written by "
            "numpy.savez; copy or write it again."
        ) from None
