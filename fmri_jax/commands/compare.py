"""`fmri-jax compare A=runs/a B=runs/b --out FOLDER`: finished runs side by side on one page."""

import argparse
import pathlib
from typing import TYPE_CHECKING

from fmri_jax import report
from fmri_jax.commands.report import of_a_run
from fmri_jax.errors import InputError
from fmri_jax.files import place

if TYPE_CHECKING:
    from fmri_jax.report.comparison.variants import Paths


def main(arguments: list[str]) -> int:
    """Writes the page of a comparison and prints its path; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fmri-jax compare", description=__doc__)
    parser.add_argument("workdirs", nargs="+", metavar="[NAME=]WORKDIR", help="a finished run")
    parser.add_argument("--out", required=True, help="folder for the page")
    given = parser.parse_args(arguments)
    variants: dict[str, Paths] = {}
    for argument in given.workdirs:
        name, _, path = argument.rpartition("=")
        name = name or pathlib.Path(path).name
        if name in variants:
            raise InputError(f"Two workdirs are called {name!r}: name them as NAME=WORKDIR.")
        variants[name] = place(path)
    try:
        with of_a_run(*map(str, variants.values())):
            print(report.compare(variants, given.out).page)
    except OSError as error:
        raise InputError(
            f"The page was not written ({error}): expected room in a folder that can be written."
        ) from error
    return 0
