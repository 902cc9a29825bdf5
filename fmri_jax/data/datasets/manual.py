"""What cannot be downloaded: stimulus images that a user asks their authors for and places here."""

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


def described(path: pathlib.Path) -> list[tuple[str, int]]:
    """Names and sizes of the files at a path, by which a prepared recording knows its sources."""
    if path.is_file():
        return [(path.name, path.stat().st_size)]
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else []
    return [(file.relative_to(path).as_posix(), file.stat().st_size) for file in files]
