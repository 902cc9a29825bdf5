"""`python launch.py ...` in the process of the tests, where their subject is no process."""

import contextlib
import dataclasses
import io
import pathlib
import sys

import pytest
from absl import logging

from fmri_jax.commands import run, signals
from fmri_jax.training import host_memory

ROOT = pathlib.Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Done:
    """What a command left, named as in `subprocess`."""

    returncode: int
    stdout: str
    stderr: str


@contextlib.contextmanager
def process_as_it_was():
    """A command in this block neither answers signals nor sets up JAX, and logs are as before."""
    verbosity = logging.get_verbosity()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signals, "answer", lambda message: None)
        patch.setattr(host_memory, "run_in_caller", lambda: None)
        patch.setattr(sys, "path", [*sys.path])
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)


def launch(*arguments: str) -> Done:
    """The launcher from the root of the checkout; what a command lets through raises here, too."""
    with (
        process_as_it_was(),
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        code = run.main_of_launcher(list(arguments))
    return Done(code, out.getvalue(), err.getvalue())
