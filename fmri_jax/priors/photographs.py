"""Photographs that a prior is trained on, without those that an experiment tests."""

import csv
import hashlib
import pathlib
from collections.abc import Iterable, Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np

from fmri_jax.data.images import list_images, read_named, resize
from fmri_jax.errors import InputError
from fmri_jax.evaluation.duplicates import find_duplicates

LEAST = 20  # photographs; fewer teach nothing
MOST_HELD_OUT, SHARE_HELD_OUT = 2000, 0.04
BLOCK = 2000  # photographs, or images to exclude, that are compared at a time


class Photographs(NamedTuple):
    """What is learned from, and what the result is scored on; neither holds the other's files."""

    training: np.ndarray  # (n, size, size, 3) uint8
    held_out: np.ndarray  # (m, size, size, 3) uint8
    captions: tuple[str, ...] = ()  # of those to train on, "" where there is none; or of none
    held_out_captions: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """SHA-256 of all, by which a resumed training recognises them."""
        digest = hashlib.sha256()
        for stack in (self.training, self.held_out):
            digest.update(repr(stack.shape).encode())
            digest.update(np.ascontiguousarray(stack).data)
        if self.captions:
            digest.update(repr((self.captions, self.held_out_captions)).encode())
        return digest.hexdigest()


def read(
    paths: Sequence[str],
    size: int,
    progress: bool = True,
    limit: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Decodes the images of folders and zips, all or some of them.

    Args:
        paths: folders or zips.
        size: px, the side of the square that every image is resized to.
        progress: whether to draw progress bars.
        limit: how many to take at most, drawn at random from all of them.
        seed: of that draw.

    Returns:
        (n, size, size, 3) uint8, in the order of the paths, then of the names.

    Raises:
        InputError: a path cannot be read or holds no image, or as `data.images.read_named`.
    """
    given = choose(paths, limit, seed)
    stacks = [read_named(path, found, size, progress) for path, found in given]
    return stacks[0] if len(stacks) == 1 else np.concatenate(stacks)


def choose(
    paths: Sequence[str], limit: int | None = None, seed: int = 0
) -> list[tuple[str, list[str]]]:
    """The images that `read` decodes with these arguments: paths, each with names within it.

    Raises:
        InputError: a path cannot be read or holds no image.
    """
    names = [list_images(path) for path in paths]
    for path, found in zip(paths, names, strict=True):
        if not found:
            raise InputError(f"{path} holds no images: expected a folder or zip of photographs.")
    if limit is not None:
        chosen = np.zeros(sum(map(len, names)), bool)
        chosen[np.random.default_rng(seed).permutation(len(chosen))[:limit]] = True
        parts = np.split(chosen, np.cumsum([len(found) for found in names])[:-1])
        names = [list(compress(*pair)) for pair in zip(names, parts, strict=True)]
    return [pair for pair in zip(paths, names, strict=True) if pair[1]]


def read_captions(paths: Sequence[str], tables: Sequence[str]) -> list[str]:
    """Captions of the photographs that `read` decodes, in its order.

    Args:
        paths: folders or zips of photographs.
        tables: CSV files with a heading and two columns: name of a photograph, or of the folder
            that it is in, and its caption or class.

    Returns:
        A text for each photograph, "" where no table names it.

    Raises:
        InputError: a table cannot be read, has other columns, or names no photograph.
    """
    texts: dict[str, str] = {}
    for table in tables:
        texts |= _table(table)
    names = [name for path in paths for name in list_images(path)]
    found = []
    for name in names:
        place = pathlib.PurePosixPath(name)
        keys = (name, place.name, place.parent.name)
        found.append(next((texts[key] for key in keys if key in texts), ""))
    if tables and not any(found):
        raise InputError(
            f"{', '.join(tables)} names none of {len(names):,} photographs, such as "
            f"{names[0] if names else 'none'}: expected names of files or of their folders in the "
            "first column."
        )
    return found


def _table(path: str) -> dict[str, str]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            _, *rows = csv.reader(file)
        return {name.strip(): text.strip() for name, text in rows}
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path or 'An empty path'} is no table of captions ({error}): expected a CSV file in "
            "UTF-8 with a heading and two columns, the name of a photograph or of its folder, and "
            "a caption."
        ) from error


def tested(photographs: np.ndarray, excluded: Iterable[np.ndarray]) -> np.ndarray:
    """Which photographs are, or nearly are, among images that must not be learned.

    Args:
        photographs: (n, size, size, 3) uint8.
        excluded: stacks of images (m, height, width, 1 or 3) uint8 of any size.

    Returns:
        (n,) bool. Memory depends on a block of images, not on n or m.
    """
    found = np.zeros(len(photographs), bool)
    size = photographs.shape[1]
    for stack in excluded:
        for images in blocks(stack):
            images = resize(images, size)
            if images.shape[-1] == 1:
                images = np.repeat(images, 3, axis=-1)
            for start in range(0, len(photographs), BLOCK):
                block = photographs[start : start + BLOCK]
                rows = {pair.test for pair in find_duplicates(images, block)}
                found[[start + row for row in rows]] = True
    return found


def blocks(stack: np.ndarray) -> list[np.ndarray]:
    """Views of at most `BLOCK` images."""
    return [stack[start : start + BLOCK] for start in range(0, len(stack), BLOCK)]


def divide(photographs: np.ndarray, seed: int, captions: Sequence[str] = ()) -> Photographs:
    """Holds out a share of the photographs, drawn at random.

    Args:
        photographs: (n, size, size, 3) uint8.
        seed: of the draw, and of the order of what is left.
        captions: of each photograph, or of none.

    Returns:
        2,000 held out, or 4 % where that is less, and all others.

    Raises:
        InputError: there are fewer than `LEAST` photographs.
    """
    n = len(photographs)
    if n < LEAST:
        raise InputError(
            f"{n} photographs are left to train on: expected at least {LEAST}, and tens of "
            "thousands for a prior that is of use; name more with --images."
        )
    # At least 2, so that scores have a mean.
    n_held_out = max(min(MOST_HELD_OUT, int(SHARE_HELD_OUT * n)), 2)
    order = np.random.default_rng(seed).permutation(n)
    parts = order[n_held_out:], order[:n_held_out]
    words = [tuple(captions[row] for row in part) if len(captions) else () for part in parts]
    return Photographs(photographs[parts[0]], photographs[parts[1]], *words)


def names_of(paths: Iterable[str]) -> list[str]:
    """The last part of each path: a card names data, not the folders of a computer."""
    return [pathlib.PurePath(path).name or path for path in paths]
