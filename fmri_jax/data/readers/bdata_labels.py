"""From the labels of BData to the images that they name."""

import pathlib
import re
from collections.abc import Sequence

import numpy as np

from fmri_jax.data.readers.bdata import BData
from fmri_jax.errors import InputError

LABELS = ("stimulus_name", "stimulus_id", "image_index", "Label")  # in order of preference


def image_names(
    table: BData, label: str, available: Sequence[str], folder: str, trials: np.ndarray
) -> list[str]:
    """The image file of each trial.

    Args:
        table: the trials.
        label: metadata key of the stimulus label, or empty for the first of `LABELS`.
        available: names of the image files.
        folder: where they are, for messages.
        trials: (trials,) bool, those that are asked for.

    Returns:
        One of `available` a trial.

    Raises:
        InputError: there is no label, it lost its digits, or an image is missing or ambiguous;
            numbers that count images are, where 10.png comes before 2.png.
    """
    key = _label_key(table, label)
    numbers = _numbers(table, key, trials)
    stems = table.texts(key, trials)
    if stems is None:
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


def category_images(
    table: BData, label: str, available: Sequence[str], folder: str, trials: np.ndarray
) -> list[str]:
    """The image file of each trial whose label names a category: the only one of its synset.

    Arguments and result are those of `image_names`.

    Raises:
        InputError: a synset has no image, or several.
    """
    key = _label_key(table, label)
    synsets = np.floor(np.abs(_numbers(table, key, trials)))
    images = {}
    for synset in np.unique(synsets):
        stem = f"n{int(synset):08d}_"
        found = [name for name in available if pathlib.PurePosixPath(name).stem.startswith(stem)]
        if len(found) != 1:
            raise InputError(
                f"{folder} holds {len(found)} images of synset {stem[:-1]}, which {table.path} "
                f"names as a category: expected one, such as {stem}1.JPEG."
            )
        images[synset] = found[0]
    return [images[synset] for synset in synsets]


def _label_key(table: BData, label: str) -> str:
    return label or next((key for key in LABELS if key in table.keys), LABELS[0])


def _numbers(table: BData, key: str, trials: np.ndarray) -> np.ndarray:
    """The label of each chosen trial, which must have one."""
    numbers = table.label(key)[trials]
    if without := int(np.isnan(numbers).sum()):
        raise InputError(
            f"{table.path}: {key} is NaN in {without} of {len(numbers)} trials, which then show no "
            "image: expected a label in each; leave trials without an image, such as rest, out of "
            "the file."
        )
    return numbers


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
            "config.data.file.label and config.data.file.images (synset labels that passed through "
            "float32 look like this, too)."
        )
    by_text = sorted(available)
    for early, late in zip(by_text, sorted(by_text, key=_by_number), strict=True):
        if early != late:
            raise InputError(
                f"{where} counts the images of {folder}, of which {early} comes before {late} as "
                "text but after it by number: expected one order; number the files with leading "
                "zeros, such as 02.png."
            )
    return [by_text[int(number) - 1] for number in numbers]


def _by_number(name: str) -> list[str | int]:
    """Sorts 2.png before 10.png, as the person may have counted who wrote the labels."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
