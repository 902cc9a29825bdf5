"""`fmri-jax inspect PATH`: what a recording holds and whether it can be used.

Beside the text it writes pictures, into the current folder unless --out names another one: a
montage of the images with their names; the responses, their course over runs, spread and
reliability; of NIfTI also the timeline of a run, the response around onsets, and maps of the
voxels. The exit code is 0 if the recording can be used and 2 if not.
"""

import argparse
import dataclasses
import pathlib
from typing import Any

from fmri_jax.data import paths
from fmri_jax.data.inspect import figures, summary
from fmri_jax.data.readers.registry import Config, takers

_GROUPS = ("condition", "group", "movie", "video", "photograph", "object", "cluster")
OUT = "folder for the pictures, made if absent (default: the current folder)"


def main(arguments: list[str]) -> int:
    """Inspects one recording; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="fmri-jax inspect",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", help=".npz, .mat, BData .h5, NIfTI file, or a folder of NIfTI")
    parser.add_argument("--out", default="", help=OUT)
    for field in dataclasses.fields(Config):
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(
            flag, type=type(field.default), default=field.default, help=_help(field)
        )
    given = vars(parser.parse_args(arguments))
    options = {field.name: given[field.name] for field in dataclasses.fields(Config)}
    found = summary.inspect(given["path"], **options)
    print(summary.describe(found))
    if found.recording:
        from fmri_jax.pipeline import foresight

        lines = [*foresight.in_words(found.recording), *_groups(found)]
        print("\n".join(["", "How to test it", *(f"  {line}" for line in lines)]))
    written = figures.write(found, pathlib.Path(paths.expanded(given["out"])).resolve())
    print("\n" + "\n".join(f"wrote {path}" for path in written) if written else "")
    return 0 if found.recording else 2


def _groups(found: summary.Inspection) -> list[str]:
    """Keys that may say which images depend on one another, where the recording names no groups."""
    if found.recording is None or found.recording.groups or not found.path.endswith(".npz"):
        return []
    return [
        f"If images of one {key} depend on one another, --config.data.file.groups={key} counts "
        "them as one piece of evidence."
        for key, _ in found.holds
        if key.casefold() in _GROUPS
    ]


def _help(field: dataclasses.Field[Any]) -> str:
    """What an option is, the formats that it belongs to, and its default in each if it has one."""
    formats = (
        f"{name}, default {default}" if default else name
        for name, default in takers(field.name).items()
    )
    return f"{field.metadata['help']} ({'; '.join(formats)})"
