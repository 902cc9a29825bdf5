"""`fmri-jax compare A=runs/a B=runs/b --out FOLDER`: finished runs side by side on one page.

A name that is given to several runs makes one row of them: of seeds their mean, of several subjects
a row each, and a mean over subjects.
"""

import argparse
import pathlib

from fmri_jax import report
from fmri_jax.commands.report import of_a_run
from fmri_jax.errors import InputError
from fmri_jax.files import place


def main(arguments: list[str]) -> int:
    """Writes the page of a comparison and prints its path; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fmri-jax compare", description=__doc__)
    parser.add_argument("workdirs", nargs="+", metavar="[NAME=]WORKDIR", help="a finished run")
    parser.add_argument("--out", required=True, help="folder for the page")
    given = parser.parse_args(arguments)
    variants: dict[str, list[pathlib.Path]] = {}
    for argument in given.workdirs:
        given_name, _, path = argument.rpartition("=")
        name = given_name or pathlib.Path(path).name
        if name in variants and not given_name:
            raise InputError(
                f"Two workdirs are called {name!r}: name them as NAME=WORKDIR, with one name for "
                "seeds of one variant or for its subjects."
            )
        variants.setdefault(name, []).append(place(path))
    try:
        with of_a_run(*(str(path) for paths in variants.values() for path in paths)):
            print(report.compare(variants, given.out).page)
    except OSError as error:
        raise InputError(
            f"The page was not written ({error}): expected room in a folder that can be written."
        ) from error
    return 0
