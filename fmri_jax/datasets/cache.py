"""Prepare a recording once, read it back ever after.

A prepared recording is a folder of ArrayRecords, `<name>-<key>`, that appears under this name only
when it is complete. Whoever prepares holds a lock; a process that dies while it prepares leaves a
`.partial` folder, which nobody reads and the next one removes.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError


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
        InputError: `folder` cannot be written, or the prepared records are damaged.
    """
    place = pathlib.Path(folder) / f"{name}-{key}"
    if not place.is_dir():
        with _lock(place):
            if not place.is_dir():  # another process may have prepared it while this one waited
                return _write(session_factory(), place)
    return _read(place)


def _write(recording: Recording, place: pathlib.Path) -> Recording:
    from fmri_jax.datasets import array_record  # slow to import, and not needed by every run

    partial = place.with_name(place.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed process left
    try:
        array_record.write(recording, partial)
        partial.rename(place)
    except (OSError, RuntimeError) as error:  # a full disk is ArrayRecord's RuntimeError
        needed = -(-(recording.fmri.nbytes + recording.images.nbytes) // 2**20)
        raise InputError(
            f"{place} cannot be written ({error}): expected a folder with room for {needed} MiB; "
            "free some or choose another one."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return recording


def _read(place: pathlib.Path) -> Recording:
    from fmri_jax.datasets import array_record

    try:
        return array_record.read(place)
    except Exception as error:  # whatever TFDS, protobuf or ArrayRecord raise on damaged files
        raise InputError(
            f"{place} cannot be read ({type(error).__name__}): the prepared recording is damaged; "
            "delete this folder and start again."
        ) from error


@contextlib.contextmanager
def _lock(place: pathlib.Path) -> Iterator[None]:
    """Holds the right to prepare; the system takes it back from a process that dies."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.with_name(place.name + ".lock").open("w")
    except OSError as error:
        raise InputError(
            f"{place.parent} cannot be written ({error.strerror}): expected a folder for prepared "
            "recordings; choose another one."
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
