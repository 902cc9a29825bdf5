"""Tasks of a sweep in processes of their own: killed ones, and the cards that they are given."""

import os
import pathlib
import signal
import time

import pytest

from fmri_jax.errors import InputError
from fmri_jax.pipeline import executors
from fmri_jax.pipeline.executors import executor
from fmri_jax.pipeline.sweep import Task


def test_a_killed_process_takes_no_other_with_it_and_leaves_its_card(tmp_path, monkeypatch):
    """The first task waits for the last, which must get the card of the one that was killed."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "one, two")
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    done = tmp_path / "done"
    todo = [
        Task("first", Telling(after=done), tmp_path / "a"),
        Task("killed", Killed(), tmp_path / "b"),
        Task("last", Telling(leaves=done), tmp_path / "c"),
    ]
    first, killed, last = executor(2, "", tmp_path)(todo)
    assert first == "one, None" and last == "two, None"
    assert killed.startswith("its process was ended by signal 9 (Killed): ")


@pytest.mark.parametrize(
    ("cards", "jobs", "card", "shared"),
    [("0,1", 2, "0", False), ("0,1", 3, "0", True), ("", 2, "", True)],
)
def test_processes_that_share_a_card_do_not_take_its_memory_in_advance(
    tmp_path, monkeypatch, cards, jobs, card, shared
):
    monkeypatch.setattr(os, "environ", {"CUDA_VISIBLE_DEVICES": cards})
    given = []

    def started(*arguments):
        given.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(executors, "_started", started)
    with pytest.raises(KeyboardInterrupt):
        executor(jobs, "", tmp_path)(["task"] * 4)
    assert given == [("task", card, shared)]
    monkeypatch.setattr(executors, "run_in_caller", lambda: None)
    monkeypatch.setattr(executors, "run_task", lambda task: str(os.environ))
    environ = {"CUDA_VISIBLE_DEVICES": card}
    if shared:
        environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    assert executors._in_new_process(*given[0]) == str(environ)


class Killed(dict):
    """A config at whose sight the system kills the process, as it does when memory is out."""

    def to_dict(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Telling(dict):
    """A config that is refused with what its process may use of which card.

    Attributes:
        after: a file that it waits for.
        leaves: a file that it makes.
    """

    def __init__(self, after: pathlib.Path | None = None, leaves: pathlib.Path | None = None):
        self.after, self.leaves = after, leaves

    def to_dict(self):
        while self.after and not self.after.exists():
            time.sleep(0.05)
        if self.leaves:
            self.leaves.touch()
        card = os.environ.get("CUDA_VISIBLE_DEVICES", "no card")
        raise InputError(f"{card}, {os.environ.get('XLA_PYTHON_CLIENT_PREALLOCATE')}")
