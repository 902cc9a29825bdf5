"""What cannot be downloaded: stimulus images that a user asks their authors for and places here."""

import contextlib
import os
import pathlib

from fmri_jax.data.images import list_images
from fmri_jax.errors import InputError


def images(folder: pathlib.Path, number: int, whose: str) -> str:
    """The folder or zip of images that a user has placed at `folder` (or `folder`.zip).

    Args:
        folder: where they belong.
        number: how many the publication has.
        whose: the data set's name, and whom to ask.

    Returns:
        The path.

    Raises:
        InputError: they are not there; the sentence says how to get and name them.
    """
    archive = folder.with_name(folder.name + ".zip")
    place = archive if archive.is_file() and not folder.is_dir() else folder
    if place.exists() and list_images(str(place)):
        return str(place)
    raise InputError(
        f"{folder} holds no images: expected the {number} images of {whose}; they are ImageNet's "
        "and may not be redistributed, so put them there (or in a zip of that name) under their "
        "ImageNet names, such as n01518878_5958.JPEG."
    )


def described(path: pathlib.Path) -> list[tuple[str, int, int]]:
    """Name, size and time (ns) of the files at a path: what was made of others is out of date.

    Args:
        path: a file, or a folder, of which every file counts, those of subfolders included.

    Returns:
        One entry a file, sorted by name relative to the folder; none where nothing is there.
    """
    if path.is_file():
        return [_described(path, path.name)]
    found = []
    for folder, _, names in os.walk(path):
        for name in names:
            file = pathlib.Path(folder, name)
            with contextlib.suppress(OSError):  # a link to nothing, or removed meanwhile
                found.append(_described(file, file.relative_to(path).as_posix()))
    return sorted(found)


def _described(file: pathlib.Path, name: str) -> tuple[str, int, int]:
    status = file.stat()
    return name, status.st_size, status.st_mtime_ns
