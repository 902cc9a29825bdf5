"""From the labels of BData to the images that they name.

A release may label a trial several times: by several keys, and by several columns of one key, as
`Label` of Kamitani lab's files, whose first column counts images and whose second holds synset
numbers. Labels that name images, by text or by synset number, come before those that count them;
of several that name images of the folder, all must name the same.
"""

import dataclasses
import pathlib
import re
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from fmri_jax.data.readers.bdata import BData
from fmri_jax.errors import InputError

LABELS = ("stimulus_name", "stimulus_id", "image_index", "Label")  # in order of preference
_SYNSET = re.compile(r"n\d{8}_\d+")
_FEWEST_SYNSET = 1e5  # no collection counts as many categories


def image_names(
    table: BData, label: str, available: Sequence[str], folder: str, trials: np.ndarray
) -> list[str]:
    """The image file of each trial.

    Args:
        table: the trials.
        label: metadata key of the stimulus label, "Label:2" for the second column that it marks,
            or empty for those of `LABELS`.
        available: names of the image files.
        folder: where they are, for messages.
        trials: (trials,) bool, those that are asked for.

    Returns:
        One of `available` per trial.

    Raises:
        InputError: there is no label, it lost its digits, labels contradict each other, or an image
            is missing or ambiguous; numbers that count images are, where 10.png comes before 2.png.
    """
    naming = [column for column in _columns(table, label, trials) if column.names is not None]
    if naming:
        _check_synsets(naming, table.path)
        by_stem = _by_stem(available, folder)
        return _agreed(naming, lambda column: _named(column, by_stem, folder), table.path)
    key = label or next((key for key in LABELS if key in table.keys), LABELS[0])
    return _agreed(
        _columns(table, key, trials),
        lambda column: _counted(column.numbers, available, column.where, folder),
        table.path,
    )


@dataclasses.dataclass(frozen=True)
class _Column:
    """One column of labels of the chosen trials.

    Attributes:
        where: file, key and column, for messages.
        numbers: (trials,) float64.
        names: names of images without suffix, by text or synset number; None if they are counted.
    """

    where: str
    numbers: np.ndarray
    names: list[str] | None


def _columns(table: BData, label: str, trials: np.ndarray) -> list[_Column]:
    """Every column of a key, or of all known ones that are there, that holds labels.

    Raises:
        InputError: no column has the key, or a column lacks the label of some trials.
    """
    keys = [label] if label else [key for key in LABELS if key in table.keys] or [LABELS[0]]
    found = []
    for key in keys:
        columns = table.label_columns(key)[trials].T
        used = [column for column in columns if not np.isnan(column).all()] or [columns[0]]
        for numbers in used:
            place = f" (one of {len(used)} columns)" if len(used) > 1 else ""
            where = f"{table.path}: {key}{place}"
            if without := int(np.isnan(numbers).sum()):
                if key != keys[0]:
                    continue  # the preferred key says enough
                raise InputError(
                    f"{where} is NaN in {without} of {len(numbers)} trials, which then show no "
                    "image: expected a label in each; leave trials without an image, such as rest, "
                    "out of the file."
                )
            found.append(_Column(where, numbers, _names(table, key, numbers, where, len(used))))
    return found


def _names(
    table: BData, key: str, numbers: np.ndarray, where: str, columns: int
) -> list[str] | None:
    """The names that a column gives, by the texts of the file or by synset numbers."""
    try:
        names = table.texts(key, numbers)
    except InputError:
        if columns == 1:
            raise
        names = None  # the texts are another column's
    if names is None and (numbers != np.rint(numbers)).any():
        names = synset_names(numbers, where)
    return names


def _by_stem(available: Sequence[str], folder: str) -> dict[str, str]:
    """Name without folders and suffix -> image file."""
    by_stem: dict[str, str] = {}
    for name in available:
        stem = _normal(pathlib.PurePosixPath(name).stem)
        if stem in by_stem:
            raise InputError(
                f"{folder} holds {by_stem[stem]} and {name}: expected each image name once; "
                "remove one."
            )
        by_stem[stem] = name
    return by_stem


def _named(column: _Column, by_stem: dict[str, str], folder: str) -> list[str]:
    """The image files of names, which may have a suffix and folders of their own."""
    names = [_normal(name.strip()) for name in column.names or []]
    stems = [name if name in by_stem else pathlib.PurePosixPath(name).stem for name in names]
    if missing := sorted(set(stems) - set(by_stem)):
        raise InputError(
            f"{folder} lacks {len(missing)} of {len(set(stems))} images that {column.where} names, "
            f"first {missing[0] or 'one without a name'}: expected files named like "
            f"{missing[0]}.JPEG."
        )
    return [by_stem[stem] for stem in stems]


def _agreed(
    columns: list[_Column], resolve: Callable[[_Column], list[str]], path: str
) -> list[str]:
    """What those columns say that name images of the folder, if they say the same.

    Raises:
        InputError: none does, or two contradict each other.
    """
    found: list[tuple[_Column, list[str]]] = []
    errors: list[InputError] = []
    for column in columns:
        try:
            found.append((column, resolve(column)))
        except InputError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    (first, names), *others = found
    for other, different in others:
        if different != names:
            raise _contradiction(path, first, names, other, different)
    return names


def _check_synsets(columns: Sequence[_Column], path: str) -> None:
    """Rejects synset numbers or texts that contradict each other, whichever images are there."""
    synsets = [
        (column, names)
        for column in columns
        if (names := column.names) and all(_SYNSET.fullmatch(name) for name in names)
    ]
    for column, names in synsets[1:]:
        first, expected = synsets[0]
        if names != expected:
            raise _contradiction(path, first, expected, column, names)


def _contradiction(
    path: str, first: _Column, names: list[str], other: _Column, different: list[str]
) -> InputError:
    at = next(i for i, name in enumerate(names) if name != different[i])
    return InputError(
        f"{first.where} and {other.where.removeprefix(path + ': ')} name different images, "
        f"{names[at]} and {different[at]} in trial {at} of those read: expected columns that "
        "agree; choose one with config.data.file.label, such as label=Label:2 for the second of "
        "several columns that Label marks."
    )


def _normal(text: str) -> str:
    """Composed Unicode: macOS decomposes the accents of file names."""
    return unicodedata.normalize("NFC", text)


def category_images(
    table: BData, label: str, available: Sequence[str], folder: str, trials: np.ndarray
) -> list[str]:
    """The image file of each trial whose label names a category: the only one of its synset.

    Arguments and result are those of `image_names`.

    Raises:
        InputError: a synset has no image, or several, or several columns hold different synsets.
    """
    key = label or next((key for key in LABELS if key in table.keys), LABELS[0])
    columns = [np.floor(np.abs(column.numbers)) for column in _columns(table, key, trials)]
    large = [numbers for numbers in columns if (numbers >= _FEWEST_SYNSET).all()] or columns
    if any(not np.array_equal(large[0], numbers) for numbers in large[1:]):
        raise InputError(
            f"{table.path}: {key} marks {len(large)} columns of different synsets: expected one; "
            f"name one of them, {key}:1 to {key}:{len(columns)}."
        )
    images = {}
    for synset in np.unique(large[0]):
        stem = f"n{int(synset):08d}_"
        found = [name for name in available if pathlib.PurePosixPath(name).stem.startswith(stem)]
        if len(found) != 1:
            raise InputError(
                f"{folder} holds {len(found)} images of synset {stem[:-1]}, which {table.path} "
                f"names as a category: expected one, such as {stem}1.JPEG."
            )
        images[synset] = found[0]
    return [images[synset] for synset in large[0]]


def synset_names(labels: np.ndarray, where: str) -> list[str]:
    """Names of ImageNet images from their numbers: 1518878.005958 is n01518878_5958.

    Args:
        labels: (trials,) float64, with six decimals.
        where: file and key, for messages.

    Returns:
        One name per trial.

    Raises:
        InputError: a label is not a number with six decimals, or lost them in float32.
    """
    if (labels.astype(np.float32) == labels).all():
        raise InputError(
            f"{where} holds labels such as {labels[0]}: expected six decimals, as 1518878.005958; "
            "they passed through float32, so take a file that stores them as float64."
        )
    millionths = labels * 1e6
    rounded = np.rint(millionths)
    wrong = ~(np.abs(millionths - rounded) < 0.02) | (labels < 0)  # NaN is wrong, too
    if wrong.any():
        raise InputError(
            f"{where} holds the label {labels[wrong][0]}: expected a synset and six decimals, as "
            "1518878.005958."
        )
    synsets, images = np.divmod(rounded.astype(np.int64), 10**6)
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
