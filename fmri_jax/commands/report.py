"""`fmri-jax report WORKDIR`: writes the page of a finished run again."""

import argparse
import contextlib
import os
from collections.abc import Iterator

from fmri_jax import report
from fmri_jax.errors import InputError, one_line


@contextlib.contextmanager
def of_a_run(*folders: str | os.PathLike[str]) -> Iterator[None]:
    """Turns what files of strangers, or of hand, raise deep within a page into one message.

    Raises:
        InputError: a file of these folders does not hold what a run writes.
    """
    kinds = (AttributeError, TypeError, KeyError, IndexError, ValueError, ArithmeticError)
    try:
        yield
    except InputError:
        raise
    except kinds as error:
        names = ", ".join(map(str, folders))
        raise InputError(
            f"{names} cannot be shown ({type(error).__name__}: {one_line(error)}): a file there "
            "does not hold what a run writes; give the folder of a finished run, or run it again."
        ) from error


def main(arguments: list[str]) -> int:
    """Writes one page and prints its path; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fmri-jax report", description=__doc__)
    parser.add_argument("workdir", help="folder of a finished run")
    given = parser.parse_args(arguments)
    try:
        with of_a_run(given.workdir):
            print(report.write(given.workdir))
    except OSError as error:
        raise InputError(
            f"The page was not written ({error}): expected room in a folder that can be written."
        ) from error
    return 0
