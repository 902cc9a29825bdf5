"""Prepare a recording once, read it back ever after.

A prepared recording is a folder of ArrayRecords with their digests, `<name>-<key>`, that appears
under this name only when it is complete; one that is damaged is set aside and prepared again.
Whoever prepares holds a lock; a process that dies while it prepares leaves a `.partial` folder,
which nobody reads and the next one removes.
"""

import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from absl import logging

from fmri_jax import digests
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError, one_line
from fmri_jax.files import locked, put, set_aside


def options_key(**options: Any) -> str:
    """A short name for everything that the content of a prepared recording depends on.

    Args:
        **options: plain values (text, numbers, lists, None); for a file also its size and time.

    Returns:
        16 hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:16]


def prepare(
    session_factory: Callable[[], Recording], name: str, folder: str | os.PathLike[str], key: str
) -> Recording:
    """Returns the prepared recording, which the first call makes and later calls read.

    Args:
        session_factory: makes the recording; called only if it is not there yet.
        name: of the recording, for people.
        folder: where prepared recordings are kept.
        key: names the content: another key is another recording (see `options_key`).

    Returns:
        The recording; its fingerprint is the same from the first call on.

    Raises:
        InputError: `folder` cannot be written.
    """
    place = pathlib.Path(folder) / f"{name}-{key}"
    found = _read(place)
    if found is None:
        _make(place.parent)
        with locked(place.with_name(place.name + ".lock"), wait=True):
            found = _read(place)  # another process may have prepared it while this one waited
            if found is None:
                set_aside(place)
                found = _write(session_factory(), place)
    return found


def _make(folder: pathlib.Path) -> None:
    """Makes the folder of prepared recordings."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror}): expected a folder for prepared "
            "recordings; choose another one."
        ) from None


def _write(recording: Recording, place: pathlib.Path) -> Recording:
    from fmri_jax.datasets import array_record  # slow to import, and not needed by every run

    partial = place.with_name(place.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed process left
    try:
        array_record.write(recording, partial)
        digests.seal(partial)
        put(partial, place)
    except (OSError, RuntimeError) as error:  # a full disk is ArrayRecord's RuntimeError
        needed = -(-(recording.fmri.nbytes + recording.images.nbytes) // 2**20)
        raise InputError(
            f"{place} cannot be written ({error}): expected a folder with room for {needed} MiB; "
            "free some or choose another one."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return recording


def _read(place: pathlib.Path) -> Recording | None:
    """The recording that was prepared, or None where there is none, or a damaged one."""
    from fmri_jax.datasets import array_record

    if not place.is_dir():
        return None
    try:
        if found := digests.damaged(place):
            raise ValueError(f"{found[0]} differs from what was written")
        return array_record.read(place)
    except Exception as error:  # whatever TFDS, protobuf or ArrayRecord raise on damaged files
        logging.warning(
            "%s is damaged (%s): the recording is prepared again.", place, one_line(error)
        )
        return None
