"""`python -m fmri_jax.report WORKDIR`: writes the page of a finished run again.

Several workdirs, each optionally as `NAME=WORKDIR`, and `--out FOLDER` write a comparison.
"""

import argparse
import pathlib
import sys
from typing import TYPE_CHECKING

from fmri_jax import report
from fmri_jax.errors import InputError

if TYPE_CHECKING:
    from fmri_jax.report.comparison.variants import Paths


def main(arguments: list[str] | None = None) -> int:
    """Writes one page and prints its path; returns the exit code (2: the input cannot be used)."""
    parser = argparse.ArgumentParser(prog="python -m fmri_jax.report", description=__doc__)
    parser.add_argument("workdirs", nargs="+", metavar="[NAME=]WORKDIR", help="a finished run")
    parser.add_argument("--out", type=pathlib.Path, help="folder for the comparison of several")
    options = parser.parse_args(arguments)
    try:
        print(_write(options.workdirs, options.out))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"The page was not written ({error}): expected room in a folder that can be written.",
            file=sys.stderr,
        )
        return 2
    return 0


def _write(workdirs: list[str], out: pathlib.Path | None) -> pathlib.Path:
    """One page for one workdir; a comparison where `out` is given."""
    if out is None and len(workdirs) > 1:
        raise InputError(
            f"{len(workdirs)} workdirs were given without --out: add --out FOLDER to compare them."
        )
    if out is None:
        return report.write(pathlib.Path(workdirs[0]))
    variants: dict[str, Paths] = {}
    for argument in workdirs:
        name, _, path = argument.rpartition("=")
        name = name or pathlib.Path(path).name
        if name in variants:
            raise InputError(f"Two workdirs are called {name!r}: name them as NAME=WORKDIR.")
        variants[name] = pathlib.Path(path)
    return report.compare(variants, out).page


if __name__ == "__main__":
    sys.exit(main())
