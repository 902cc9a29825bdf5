"""From BData files and a folder of stimulus images to a recording."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from fmri_jax.data.images import list_images, read_named
from fmri_jax.data.readers import array_groups
from fmri_jax.data.readers.bdata import BData
from fmri_jax.data.readers.bdata_labels import category_images, image_names
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError

RUNS = (("Session", "Run"), ("session", "run"))


def load(
    path: str,
    images: str = "",
    test_path: str = "",
    test_images: str = "",
    roi: str = "",
    label: str = "",
    image_size: int = 256,
    groups: str = "",
) -> Recording:
    """Reads a recording from BData.

    A trial's image is found by its label: by the text that the file's `vmap` gives it; by a number
    such as 1518878.005958, which is image 5958 of synset n01518878 and named `n01518878_5958`; or
    by a whole number, which counts the images from 1 in the order of their names. Numbers
    in names need leading zeros, as 02.png: where 10.png comes before 2.png, counting is rejected.

    Args:
        path: `.h5` file of the training trials, or of all trials.
        images: folder or zip of the images that they show; needed.
        test_path: `.h5` file of the test trials, if they are apart.
        test_images: folder or zip of the test images; `images` when empty.
        roi: ROI expression of the columns to read; empty: all voxels.
        label: metadata key of the stimulus label; empty: the first known one.
        image_size: px, the side of the square that every image is resized to.
        groups: metadata key of what makes images depend on one another, such as a category or a
            movie; empty: none.

    Returns:
        The recording; trials of `test_path` form the split "test".

    Raises:
        InputError: `images` is empty, a file cannot be used, the two files differ in their voxels,
            or a label has no image.
    """
    if not images:
        raise InputError(
            f"{path}: BData names its stimuli but does not hold them: expected a folder or zip of "
            "the images; name it with --config.data.file.images=FOLDER."
        )
    sources = [Source(path, images, TRAIN, label, groups=groups)]
    if test_path:
        sources.append(Source(test_path, test_images or images, "test", label, groups=groups))
    files = ", ".join(pathlib.Path(source.path).name for source in sources)
    return read(sources, roi, image_size, f"fMRI from the BData of {files}.")


@dataclasses.dataclass(frozen=True)
class Source:
    """Trials of one BData file, and where the images are that they show.

    Attributes:
        path: the `.h5` file.
        images: folder or zip of their images.
        split: the split that they form.
        label: metadata key of the stimulus label; empty: the first known one.
        where: metadata key and value of the trials to take, such as ("DataType", 2); None: all.
        by_category: whether a label names a synset, of which `images` holds one image; otherwise
            it names an image.
    """

    path: str
    images: str
    split: str = TRAIN
    label: str = ""
    where: tuple[str, float] | None = None
    by_category: bool = False
    groups: str = ""


def read(sources: Sequence[Source], roi: str, image_size: int, description: str) -> Recording:
    """Joins trials of one subject from several files, or parts of a file, into a recording.

    An image that several sources take from the same folder is read once.

    Args:
        sources: the trials, in the order of the recording.
        roi: ROI expression of the columns to read; empty: all voxels.
        image_size: px, the side of the square that every image is resized to.
        description: of the recording.

    Raises:
        InputError: a file cannot be used, the files differ in their voxels, or a label has no
            image.
    """
    parts = [_Part(source, roi) for source in sources]
    first = parts[0]
    for part in parts[1:]:
        if first.rois.keys() != part.rois.keys() or any(
            not np.array_equal(mask, part.rois[name]) for name, mask in first.rois.items()
        ):
            raise InputError(
                f"{part.source.path} has other voxels or regions than {first.source.path}: "
                "expected files of one subject and one release."
            )
    places: dict[tuple[str, str], int] = {}  # folder and name of an image -> its index
    for part in parts:
        for name in sorted(set(part.names)):
            places.setdefault((part.source.images, name), len(places))
    stimulus = [places[part.source.images, name] for part in parts for name in part.names]
    run_offsets = np.cumsum([0] + [part.run.max() + 1 for part in parts[:-1]])
    return Recording(
        fmri=np.concatenate([part.fmri for part in parts]) if len(parts) > 1 else first.fmri,
        stimulus=np.asarray(stimulus, np.int32),
        images=_pixels(list(places), image_size),
        run=_joined([part.run + o for part, o in zip(parts, run_offsets, strict=True)]),
        rois=first.rois,
        stimulus_names=tuple(pathlib.PurePosixPath(name).stem for _, name in places),
        split=np.concatenate([np.full(len(part.run), part.source.split) for part in parts]),
        description=description,
        groups=_groups(parts, np.asarray(stimulus), len(places)),
    )


def _groups(parts: "Sequence[_Part]", stimulus: np.ndarray, n_images: int) -> tuple[str, ...]:
    """The group of each image, by the key that the sources name."""
    labels = [group for part in parts for group in part.groups]
    key = parts[0].source.groups
    return array_groups.by_trial(key, labels, stimulus, n_images) if key else ()


def _pixels(places: list[tuple[str, str]], size: int) -> np.ndarray:
    """Images by folder and name, each folder opened once."""
    if size < 1:
        raise InputError(f"image size is {size} px: expected at least 1.")
    images = np.empty((len(places), size, size, 3), np.uint8)
    for folder in dict.fromkeys(folder for folder, _ in places):
        rows = [i for i, (place, _) in enumerate(places) if place == folder]
        images[rows] = read_named(folder, [places[i][1] for i in rows], size)
    return images


class _Part:
    """What one source holds: responses, regions, run and the name of each trial's image."""

    def __init__(self, source: Source, roi: str):
        self.source = source
        table = BData(source.path)
        columns = _voxels(table, roi, source.label)
        trials = np.ones(table.shape[0], bool)
        if source.where is not None:
            key, value = source.where
            trials = table.label(key) == value
            if not trials.any():
                raise InputError(
                    f"{source.path} holds no trials whose {key} is {value:g}: expected some; take "
                    "the file of the complete experiment."
                )
        self.fmri = table.read(columns, trials=trials)
        regions = {key: table.rows[key][columns] == 1 for key in table.rois}
        self.rois = {key.removeprefix("ROI_"): mask for key, mask in regions.items() if mask.any()}
        self.run = _runs(table)[trials]
        self.groups = _labels(table, source.groups)[trials].tolist() if source.groups else []
        available = list_images(source.images)
        find = category_images if source.by_category else image_names
        self.names = find(table, source.label, available, source.images, trials)


def _voxels(table: BData, roi: str, label: str) -> np.ndarray:
    """(columns,) bool: the voxels of an ROI expression, or all; never a label beside them."""
    if not roi:
        return table.voxels()
    columns = table.columns(roi)
    if not columns.any():
        raise InputError(
            f"{table.path}: roi {roi!r} selects no voxel: expected a region that this subject has; "
            "choose another one."
        )
    if "VoxelData" in table.keys:
        others = ~table.voxels()
    else:
        others = np.zeros_like(columns)
        for key in {label, *sum(RUNS, ())} & set(table.keys):
            others |= table.rows[key] == 1
    if n_others := int((columns & others).sum()):
        raise InputError(
            f"{table.path}: roi {roi!r} takes {n_others} columns that are no voxels, such as "
            "labels or runs: expected regions; leave the other names out."
        )
    return columns


def _labels(table: BData, key: str) -> np.ndarray:
    """(trials,) texts of a key: those of the file's vmap, or numbers as text; "" for NaN."""
    numbers = table.label(key)
    known = ~np.isnan(numbers)
    found = np.full(len(numbers), "", object)
    texts = table.texts(key, numbers[known])
    found[known] = texts if texts is not None else [f"{number:.15g}" for number in numbers[known]]
    return found


def _runs(table: BData) -> np.ndarray:
    """The scanner run of each trial, counted from 0; all 0 where the file names none."""
    for keys in RUNS:
        given = [table.label(key) for key in keys if key in table.keys]
        if given:
            _, run = np.unique(np.stack(given, axis=1), axis=0, return_inverse=True)
            return run.astype(np.int32)
    return np.zeros(table.shape[0], np.int32)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts).astype(np.int32)
