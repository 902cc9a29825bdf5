"""Recordings that are read in a process of its own (`apart`)."""

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Any

from fmri_jax import apart
from fmri_jax.data.doubts import Doubt
from fmri_jax.data.recording import Recording


def recording(
    function: str,
    what: str,
    places: Iterable[pathlib.Path],
    arguments: dict[str, Any],
    modality: str = "",
) -> Recording:
    """The recording that a function makes of files, in a process of its own.

    Args:
        function: "module:name"; it returns a `Recording`.
        what: is read, for messages.
        places: files and folders that are read; the limits grow with their size.
        arguments: of the function, JSON values.
        modality: of the recording, in place of what the function says.

    Raises:
        InputError: the function raised it, or the process ended otherwise.
    """
    found = apart.call(
        f"{__name__}:fields_of", what, _size(places), function=function, arguments=arguments
    )
    for key in ("stimulus_names", "groups", "categories"):
        found[key] = tuple(found[key])
    captions = tuple(map(tuple, found.pop("captions")))
    if modality:
        found["modality"] = modality
    doubts = tuple(Doubt(**doubt) for doubt in found.pop("doubts"))
    return Recording(**found, captions=captions, doubts=doubts)


def fields_of(function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The fields of a recording; what `recording` calls elsewhere."""
    made: Recording = apart.resolve(function)(**arguments)
    fields = {each.name: getattr(made, each.name) for each in dataclasses.fields(made)}
    return {**fields, "doubts": [dataclasses.asdict(doubt) for doubt in made.doubts]}


def _size(places: Iterable[pathlib.Path]) -> int:
    """Bytes of these files and folders."""
    inside = [p for place in places for p in (place.rglob("*") if place.is_dir() else [place])]
    return sum(path.stat().st_size for path in inside if path.is_file())
