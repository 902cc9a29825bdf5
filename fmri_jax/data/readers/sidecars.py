"""What files above a run say about it: BIDS's inheritance of `.json` sidecars and of tables.

A file serves every run below its folder of which all that its name says is true:
`task-view_bold.json` at the root of the data set serves all runs of that task. The nearest file
wins: of `.json` files key by key, of tables as a whole.
"""

import decimal
import fractions
import json
import os
import pathlib
from typing import Any

from fmri_jax.data.readers import bids_names
from fmri_jax.data.readers.folders import check_fetched, is_hidden
from fmri_jax.errors import InputError

DESCRIPTION = "dataset_description.json"
_MOST_DIGITS = 400  # before or after the point of a number; a double has up to 324
_MOST_LEVELS = 12  # from a run's folder to the root of its data set


def dataset_root(folder: pathlib.Path) -> pathlib.Path:
    """The root of the BIDS data set that holds `folder`, or `folder` if there is none.

    It is the nearest folder with a `dataset_description.json` or directly in `derivatives`; without
    one, the folder above that of the subject, in which `sub-01`, its sessions and `func` lie.
    """
    folder = pathlib.Path(os.path.abspath(folder))
    for parent in [folder, *folder.parents][:_MOST_LEVELS]:
        if is_root(parent):
            return parent
    root = folder
    if root.name in ("func", "beh"):
        root = root.parent
    if root.name.startswith("ses-"):
        root = root.parent
    return root.parent if root.name.startswith("sub-") else folder


def is_root(folder: pathlib.Path) -> bool:
    """Whether a folder is the root of a data set by what it holds, or by where it lies."""
    return (folder / DESCRIPTION).is_file() or folder.parent.name == "derivatives"


def levels(folder: pathlib.Path, root: pathlib.Path) -> list[pathlib.Path]:
    """The folders whose files a run in `folder` inherits: itself first, the root last."""
    folder = pathlib.Path(os.path.abspath(folder))
    above = [folder, *folder.parents]
    return above[: above.index(root) + 1] if root in above else [folder]


def raw_levels(folder: pathlib.Path) -> list[pathlib.Path]:
    """The folders of the raw data that belong to a run in `derivatives/<pipeline>`, if it is one.

    The tables of events lie there: pipelines copy volumes, not tables.
    """
    folder = pathlib.Path(os.path.abspath(folder))
    for source in [folder, *folder.parents][:_MOST_LEVELS]:
        if source.parent.name == "derivatives":
            raw = source.parent.parent
            return levels(raw / folder.relative_to(source), raw)
    return []


def metadata(volume: pathlib.Path, name: bids_names.Name, places: list[pathlib.Path]) -> dict:
    """The merged sidecars of a run's volumes: the values of nearer folders win.

    Args:
        volume: the file.
        name: what its name says.
        places: the folders to look into, the nearest first.

    Returns:
        Key -> value; numbers as exact fractions, `null` left out.

    Raises:
        InputError: a sidecar cannot be read, or two at one level disagree.
    """
    merged: dict[str, Any] = {}
    for place in reversed(places):
        level: dict[str, Any] = {}
        origin: dict[str, pathlib.Path] = {}
        for file in _applicable(place, name):
            for key, value in _read(file).items():
                if key in level and level[key] != value:
                    raise InputError(
                        f"{origin[key].name} and {file.name} in {place} both describe "
                        f"{volume.name} and disagree on {key}: {_number(level[key])} and "
                        f"{_number(value)}; BIDS allows one sidecar per level: correct one of them."
                    )
                level[key], origin[key] = value, file
        merged.update(level)
    return {key: value for key, value in merged.items() if value is not None}


def _applicable(place: pathlib.Path, name: bids_names.Name) -> list[pathlib.Path]:
    """The sidecars directly in a folder that serve volumes of this name, by their names."""
    return [
        file
        for file in files_of(place)
        if file.name.lower().endswith(".json")
        and (other := bids_names.parse(file)).suffix == name.suffix
        and other.applies_to(name)
    ]


def files_of(place: pathlib.Path) -> list[pathlib.Path]:
    """What lies directly in a folder, without what is hidden; nothing without the folder."""
    names = os.listdir(place) if place.is_dir() else []
    return [place / name for name in sorted(names) if not is_hidden(name)]


def _read(file: pathlib.Path) -> dict[str, Any]:
    check_fetched(file)
    try:
        content = json.loads(
            file.read_text(encoding="utf-8-sig"),
            parse_float=_fraction,
            parse_int=fractions.Fraction,
        )
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{file} cannot be read ({error}): expected a JSON object; correct it."
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{file} holds a {type(content).__name__}: expected a JSON object.")
    return content


def _fraction(text: str) -> fractions.Fraction:
    number = decimal.Decimal(text)
    if abs(number.adjusted()) > _MOST_DIGITS:  # a fraction of 1e999999999 would fill the memory
        raise ValueError(f"{text} is no number of seconds or millimetres")
    return fractions.Fraction(number)


def _number(value: Any) -> str:
    return f"{float(value):g}" if isinstance(value, fractions.Fraction) else repr(value)
