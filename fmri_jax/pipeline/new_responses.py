"""Responses that a decoder is to be applied to: a recording, or a file of responses alone."""

import dataclasses
import os
import pathlib

import numpy as np

from fmri_jax import apart, data
from fmri_jax.archives import CorruptError, read_npz
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.files import expanded


@dataclasses.dataclass(frozen=True)
class NewResponses:
    """Responses, and what is known of them.

    Attributes:
        recording: the responses; where no images were given, with a black one in their place.
        has_images: whether the recording's images are what was seen.
        names: one name per trial.
        repeats: (trials,) how many trials each row averages, as the file states; None if it does
            not.
    """

    recording: Recording
    has_images: bool
    names: tuple[str, ...]
    repeats: np.ndarray | None = None


def read(path: str) -> NewResponses:
    """Reads a recording of any kind, or an `.npz` of responses without images, as of imagery.

    Such a file holds `fmri` (trials, voxels) and, optionally, `names` (trials,) text, `repeats`
    (trials,), `run`, `subject`, and `roi_names` with `roi_masks` as a recording has them.

    Raises:
        InputError: the file cannot be used.
    """
    path = expanded(path)
    if pathlib.Path(path).suffix.lower() == ".npz":
        keys = _keys(path)
        if "fmri" in keys and "images" not in keys:
            return _responses_alone(path)
    recording = data.load(path)
    names = tuple(recording.stimulus_names[s] for s in recording.stimulus)
    return NewResponses(recording, True, names)


def _keys(path: str) -> set[str]:
    try:
        return set(read_npz(path, used=()))
    except (OSError, CorruptError):  # the reader of recordings says what is wrong
        return set()


_OPTIONAL = ("run", "roi_names", "roi_masks", "subject", "simulated", "description")


def arrays_of(path: str) -> dict[str, np.ndarray]:
    """The arrays of a file of responses alone, for a process of its own (`apart`).

    Raises:
        InputError: one cannot be read.
    """
    try:
        found = read_npz(path, used=("fmri", *_OPTIONAL, "names", "repeats"))
    except (OSError, CorruptError) as error:
        raise InputError(f"{path} cannot be read ({error}): expected plain arrays.") from error
    return {key: found[key] for key in found if key in ("fmri", *_OPTIONAL, "names", "repeats")}


def _responses_alone(path: str) -> NewResponses:
    from fmri_jax.data.readers.arrays import session_from_arrays

    arrays = apart.call(f"{__name__}:arrays_of", path, os.path.getsize(path), path=path)
    found = {key: arrays[key] for key in arrays if key in ("fmri", *_OPTIONAL)}
    extra = {key: arrays[key] for key in ("names", "repeats") if key in arrays}
    n = len(np.atleast_1d(found["fmri"]))
    recording = session_from_arrays(
        {
            **found,
            "stimulus": np.zeros(n, np.int32),
            "images": np.zeros((1, 1, 1, 1), np.uint8),
        },
        path,
    )
    for key, values in extra.items():
        if values.shape != (n,):
            raise InputError(f"{path}: {key} has shape {values.shape}: expected ({n},).")
    names = extra.get("names", np.asarray([f"trial {i}" for i in range(n)])).astype(str)
    return NewResponses(recording, False, tuple(names.tolist()), extra.get("repeats"))
