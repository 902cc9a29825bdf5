"""`fmri-jax check FOLDER`: compares the files of a run, and of the caches, with their digests.

Each file that is damaged or missing is listed with what becomes of it: the command of the run
computes that part again, and nothing else. The exit code is 1 if any is.
"""

import argparse
import pathlib

from fmri_jax.errors import InputError, plain
from fmri_jax.files import place
from fmri_jax.pipeline import integrity


def main(arguments: list[str]) -> int:
    """Prints what is damaged; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fmri-jax check", description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, help="folder of a run or of a sweep")
    given = parser.parse_args(arguments)
    folder = place(given.folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: give the workdir of a run.")
    runs = sorted(path.parent for path in folder.rglob("config.json"))
    if not runs:
        raise InputError(f"{folder} holds no config.json of a run: give the workdir of a run.")
    try:
        damaged = {
            run / name: integrity.remedy(name) for run in runs for name in integrity.damaged(run)
        }
        found = damaged | integrity.damaged_caches()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be compared ({error}): expected files that may be read."
        ) from error
    for path, remedy in found.items():
        print(f"{plain(str(path))} is not as it was written: {remedy}")
    if not found:
        print(f"{folder}: every file that has a digest is as it was written")
    return 1 if found else 0
