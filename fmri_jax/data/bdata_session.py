"""From BData files and a folder of stimulus images to a session."""

import pathlib
from collections.abc import Sequence

import numpy as np

from fmri_jax.data.bdata import BData
from fmri_jax.data.images import list_images, read_named
from fmri_jax.data.session import TRAIN, Session
from fmri_jax.errors import InputError

LABELS = ("stimulus_name", "stimulus_id", "image_index", "Label")  # in order of preference
RUNS = (("Session", "Run"), ("session", "run"))


def load(
    path: str,
    images: str,
    test_path: str = "",
    test_images: str = "",
    roi: str = "",
    label: str = "",
    image_size: int = 256,
) -> Session:
    """Reads a recording from BData.

    A trial's image is found by its label: by the text that the file's `vmap` gives it; by a number
    such as 1518878.005958, which is image 5958 of synset n01518878 and named `n01518878_5958`; or
    by a whole number, which counts the images from 1 in the order of their names.

    Args:
        path: `.h5` file of the training trials, or of all trials.
        images: folder or zip of the images that they show.
        test_path: `.h5` file of the test trials, if they are apart.
        test_images: folder or zip of the test images; `images` when empty.
        roi: ROI expression of the columns to read; empty: all voxels.
        label: metadata key of the stimulus label; empty: the first of `LABELS` that there is.
        image_size: px, the side of the square that every image is resized to.

    Returns:
        The recording; trials of `test_path` form the split "test".

    Raises:
        InputError: a file cannot be used, the two files differ in their voxels, or a label has no
            image.
    """
    parts = [_Part(path, images, roi, label, TRAIN)]
    if test_path:
        parts.append(_Part(test_path, test_images or images, roi, label, "test"))
    train, test = parts[0], parts[-1]
    if train.rois.keys() != test.rois.keys() or any(
        not np.array_equal(mask, test.rois[name]) for name, mask in train.rois.items()
    ):
        raise InputError(
            f"{test_path} has other voxels or regions than {path}: expected files of one subject "
            "and one release."
        )
    files = ", ".join(pathlib.Path(part.path).name for part in parts)
    offsets = np.cumsum([0] + [len(part.names) for part in parts[:-1]])
    run_offsets = np.cumsum([0] + [part.run.max() + 1 for part in parts[:-1]])
    return Session(
        fmri=np.concatenate([part.fmri for part in parts]) if test_path else train.fmri,
        stimulus=_joined([part.stimulus + o for part, o in zip(parts, offsets, strict=True)]),
        images=np.concatenate([part.pixels(image_size) for part in parts]),
        run=_joined([part.run + o for part, o in zip(parts, run_offsets, strict=True)]),
        rois=train.rois,
        stimulus_names=tuple(pathlib.PurePosixPath(n).stem for part in parts for n in part.names),
        split=np.concatenate([np.full(len(part.run), part.split) for part in parts]),
        description=f"fMRI from the BData of {files}.",
    )


class _Part:
    """The trials of one file and the images that they show."""

    def __init__(self, path: str, images: str, roi: str, label: str, split: str):
        self.path, self.images, self.split = path, images, split
        table = BData(path)
        columns = table.columns(roi) if roi else table.voxels()
        self.fmri = table.read(columns)
        regions = {key: table.rows[key][columns] == 1 for key in table.rois}
        self.rois = {key.removeprefix("ROI_"): mask for key, mask in regions.items() if mask.any()}
        self.run = _runs(table)
        names = image_names(table, label, list_images(images), images)
        self.names = sorted(set(names))
        place = {name: i for i, name in enumerate(self.names)}
        self.stimulus = np.asarray([place[name] for name in names], np.int32)

    def pixels(self, size: int) -> np.ndarray:
        return read_named(self.images, self.names, size)


def image_names(table: BData, label: str, available: Sequence[str], folder: str) -> list[str]:
    """The image file of each trial.

    Args:
        table: the trials.
        label: metadata key of the stimulus label, or empty for the first of `LABELS`.
        available: names of the image files.
        folder: where they are, for messages.

    Returns:
        One of `available` a trial.

    Raises:
        InputError: there is no label, it lost its digits, or an image is missing or ambiguous.
    """
    key = label or next((key for key in LABELS if key in table.keys), LABELS[0])
    stems = table.texts(key)
    if stems is None:
        numbers = table.label(key)
        if (numbers == np.rint(numbers)).all():
            return _counted(numbers, available, f"{table.path}: {key}", folder)
        stems = synset_names(numbers, f"{table.path}: {key}")
    by_stem: dict[str, str] = {}
    for name in available:
        stem = pathlib.PurePosixPath(name).stem
        if stem in by_stem:
            raise InputError(
                f"{folder} holds {by_stem[stem]} and {name}: expected each image name once; "
                "remove one."
            )
        by_stem[stem] = name
    wanted = [pathlib.PurePosixPath(stem).stem if stem not in by_stem else stem for stem in stems]
    missing = sorted(set(wanted) - set(by_stem))
    if missing:
        raise InputError(
            f"{folder} lacks {len(missing)} of {len(set(wanted))} images that {table.path} shows, "
            f"first {missing[0]}: expected files named like {missing[0]}.JPEG."
        )
    return [by_stem[stem] for stem in wanted]


def synset_names(labels: np.ndarray, where: str) -> list[str]:
    """Names of ImageNet images from their numbers: 1518878.005958 is n01518878_5958.

    Args:
        labels: (trials,) float64, with six decimals.
        where: file and key, for messages.

    Returns:
        One name a trial.

    Raises:
        InputError: a label is not a number with six decimals, or lost them in float32.
    """
    if (labels.astype(np.float32) == labels).all():
        raise InputError(
            f"{where} holds labels such as {labels[0]}: expected six decimals, as 1518878.005958; "
            "they passed through float32, so take a file that stores them as float64."
        )
    millionths = labels * 1e6
    whole = np.rint(millionths)
    wrong = ~(np.abs(millionths - whole) < 0.02) | (labels < 0)  # NaN is wrong, too
    if wrong.any():
        raise InputError(
            f"{where} holds the label {labels[wrong][0]}: expected a synset and six decimals, as "
            "1518878.005958."
        )
    synsets, images = np.divmod(whole.astype(np.int64), 10**6)
    return [f"n{synset:08d}_{image}" for synset, image in zip(synsets, images, strict=True)]


def _counted(numbers: np.ndarray, available: Sequence[str], where: str, folder: str) -> list[str]:
    """Images by number, from 1, in the order of their names."""
    low, high = numbers.min(), numbers.max()
    if low < 1 or high > len(available):
        raise InputError(
            f"{where} holds numbers from {low:.0f} to {high:.0f} for {len(available)} images in "
            f"{folder}: expected 1 to {len(available)}, counting images by name; name the right "
            "label and folder (synset labels that passed through float32 look like this, too)."
        )
    return [sorted(available)[int(number) - 1] for number in numbers]


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
