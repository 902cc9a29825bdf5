"""`fmri-jax report WORKDIR`: writes the page of a finished run again."""

import argparse

from fmri_jax import report
from fmri_jax.errors import InputError


def main(arguments: list[str]) -> int:
    """Writes one page and prints its path; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fmri-jax report", description=__doc__)
    parser.add_argument("workdir", help="folder of a finished run")
    given = parser.parse_args(arguments)
    try:
        print(report.write(given.workdir))
    except OSError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"The page was not written ({error}): expected room in a folder that can be written."
        ) from error
    return 0
