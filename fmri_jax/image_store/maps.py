"""What networks made of images before, in the cache folder: no image passes a network twice.

Maps of photographs are the same for all folds, seeds and variants of an experiment, and computing
them takes most of its time. They are found by the digest of each image, whatever file it came from,
and kept in folders of at most 512 images. A folder is complete, with the digests of its files, or
absent; what a query needs of it is read from the disk, so that memory depends on neither.
"""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from absl import logging
from tqdm.auto import tqdm

from fmri_jax import digests
from fmri_jax.errors import InputError
from fmri_jax.files import cache_folder, locked, put, set_aside

ENTRY = 512  # images of one folder
Maps = dict[str, np.ndarray]  # layer -> (n, h, w, channels), or of other axes
Shapes = dict[str, tuple[int, ...]]  # layer -> (h, w, channels), say
Entry = tuple[list[bytes], Shapes, np.ndarray]  # digests of its images, and their maps
_intact: dict[pathlib.Path, Entry] = {}  # those that this process has opened
_LARGEST = float(np.finfo(np.float16).max)


@dataclasses.dataclass(frozen=True, eq=False)
class StoredMaps:
    """Maps of n images, any of which can be read.

    Attributes:
        shapes: of each layer, from input to output.
        entries: arrays (images, units), of all layers side by side, mostly on the disk.
        entry: (n,) which of them holds an image.
        row: (n,) and in which row.
    """

    shapes: Shapes
    entries: tuple[np.ndarray, ...]
    entry: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        """How many images."""
        return len(self.entry)

    def take(self, images: slice | np.ndarray = slice(None)) -> Maps:
        """Layer -> (m, ...) float32 of the images that are named by their places."""
        entry, row = self.entry[images], self.row[images]
        found = np.empty((len(entry), self.entries[0].shape[1]), np.float32)
        for number in np.unique(entry):
            own = entry == number
            found[own] = self.entries[number][row[own]]
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])[:-1]
        parts = np.split(found, ends, axis=1)
        return {
            layer: part.reshape(len(found), *shape)
            for (layer, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


@dataclasses.dataclass(frozen=True)
class Source:
    """What makes maps, and how they are kept.

    Attributes:
        name: of the network, in words.
        compute: images (n, height, width, channels) -> layer -> (n, ...).
        about: all that tells its maps from others of the same images.
        half: whether they are kept in half precision (a rounding of 5e-4 of a value).
    """

    name: str
    compute: Callable[[np.ndarray], Maps]
    about: tuple[Any, ...]
    half: bool


def of_images(images: np.ndarray, source: Source) -> StoredMaps:
    """The maps of images: those that are kept are read, others are computed and kept.

    Where the cache folder cannot be written, or has no room, they stay in memory.

    Args:
        images: (n, height, width, channels), as `source.compute` takes them.
        source: what makes the maps.
    """
    names = [_name(image) for image in images]
    known = _Known(_folder(source))
    missing = list({name: i for i, name in enumerate(names) if name not in known.places}.values())
    with tqdm(
        total=len(missing), desc=source.name, unit="image", disable=len(missing) < ENTRY
    ) as bar:
        for start in range(0, len(missing), ENTRY):
            rows = missing[start : start + ENTRY]
            known.complete({names[row]: row for row in rows}, images, source)
            bar.update(len(rows))
    places = np.asarray([known.places[name] for name in names])
    return StoredMaps(known.shapes, tuple(known.entries), places[:, 0], places[:, 1])


class _Known:
    """What is kept in a folder, or was computed: digest of an image -> number of an entry, row."""

    def __init__(self, folder: pathlib.Path | None):
        self.folder = folder
        self.shapes: Shapes = {}
        self.entries: list[np.ndarray] = []
        self.places: dict[bytes, tuple[int, int]] = {}
        self._read: set[pathlib.Path] = set()
        self.refresh()

    def refresh(self) -> None:
        """Adds what other processes have written since."""
        for place in sorted(self.folder.iterdir()) if self.folder else ():
            if place.name.startswith(".") or place in self._read:
                continue
            self._read.add(place)
            if found := _opened(place):
                self._add(*found)

    def complete(self, rows: dict[bytes, int], images: np.ndarray, source: Source) -> None:
        """Computes images that are not known, the digests and places of one entry, and keeps them.

        A process that is asked for the same at the same time waits, and reads.
        """
        if self.folder is None:
            return self._compute(rows, images, source)
        place = self.folder / hashlib.sha256(b"".join(rows)).hexdigest()[:16]
        with locked(place.with_name(f".{place.name}.lock"), wait=True):
            self.refresh()
            left = {name: row for name, row in rows.items() if name not in self.places}
            if left:
                self._compute(left, images, source)

    def _compute(self, rows: dict[bytes, int], images: np.ndarray, source: Source) -> None:
        shapes, units = side_by_side(source.compute(images[list(rows.values())]))
        if source.half and np.abs(units).max() < _LARGEST:
            units = units.astype(np.float16)
        if self.folder is not None and (place := _write(self.folder, list(rows), shapes, units)):
            units = np.load(place / "maps.npy", mmap_mode="r")
            self._read.add(place)
        self._add(list(rows), shapes, units)

    def _add(self, names: list[bytes], shapes: Shapes, units: np.ndarray) -> None:
        self.shapes = shapes
        self.places |= {name: (len(self.entries), row) for row, name in enumerate(names)}
        self.entries.append(units)


def side_by_side(*maps: Maps) -> tuple[Any, ...]:
    """The shapes of layers, and of each block of images an array (images, units) of all layers."""
    shapes = {layer: found.shape[1:] for layer, found in maps[0].items()}
    return shapes, *(
        np.concatenate([found.reshape(len(found), -1) for found in block.values()], axis=1)
        for block in maps
    )


def _name(image: np.ndarray) -> bytes:
    """A digest of an image's pixels and shape."""
    about = f"{image.dtype} {image.shape}".encode()
    return hashlib.sha256(about + image.tobytes()).digest()[:16]


def _folder(source: Source) -> pathlib.Path | None:
    """Where maps of a source are kept, made if absent; None where nothing can be written."""
    try:
        about = [*source.about, jax.__version__, jax.default_backend(), *["half"] * source.half]
        key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
        folder = cache_folder() / "maps" / f"{source.name}-{key}"
        folder.mkdir(parents=True, exist_ok=True)
    except (InputError, OSError):
        return None
    return folder


def digest_of(params: Any) -> str:
    """Of a network's parameters, which maps depend on."""
    weights = hashlib.sha256()
    for path, array in jax.tree_util.tree_leaves_with_path(params):
        weights.update(jax.tree_util.keystr(path).encode())
        weights.update(np.ascontiguousarray(array).data)
    return weights.hexdigest()


def _write(
    folder: pathlib.Path, names: list[bytes], shapes: Shapes, units: np.ndarray
) -> pathlib.Path | None:
    """Keeps an entry; None where that failed."""
    place = folder / hashlib.sha256(b"".join(names)).hexdigest()[:16]
    partial = place.with_name(f".{place.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed process left
    try:
        if shutil.disk_usage(folder).free < 2 * units.nbytes:
            raise OSError("no room is left")
        partial.mkdir()
        np.save(partial / "images.npy", np.frombuffer(b"".join(names), np.uint8).reshape(-1, 16))
        np.save(partial / "maps.npy", units)
        (partial / "layers.json").write_text(json.dumps(list(shapes.items())), encoding="utf-8")
        digests.seal(partial)
        put(partial, place)
    except OSError as error:
        logging.warning("%s was not written (%s): maps stay in memory.", place, error)
        shutil.rmtree(partial, ignore_errors=True)
        return None
    return place


def _opened(place: pathlib.Path) -> Entry | None:
    """An entry, its digests compared once in this process; a damaged one is set aside."""
    if place not in _intact:
        if digests.damaged(place) != []:
            logging.warning("%s is damaged: its images pass the network again.", place)
            with contextlib.suppress(OSError):  # a cache that is read-only, or another process did
                set_aside(place)
            return None
        layers = json.loads((place / "layers.json").read_text(encoding="utf-8"))
        names = [row.tobytes() for row in np.load(place / "images.npy")]
        units = np.load(place / "maps.npy", mmap_mode="r")
        _intact[place] = names, {layer: tuple(shape) for layer, shape in layers}, units
    return _intact[place]
