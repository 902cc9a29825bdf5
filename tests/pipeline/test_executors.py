"""Tasks of a sweep in processes of their own: killed ones, and the cards that they are given."""

import os
import pathlib
import signal
import sys
import time
import types

import pytest

from fmri_jax.errors import InputError
from fmri_jax.pipeline import workers
from fmri_jax.pipeline.executors import executor
from fmri_jax.pipeline.shared_folds import SharedFolds
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
    assert first.startswith("one, None, ") and last.startswith("two, None, ")
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

    monkeypatch.setattr(workers, "_started", started)
    with pytest.raises(KeyboardInterrupt):
        executor(jobs, "", tmp_path)(["task"] * 4)
    assert given == [(card, shared)]
    monkeypatch.setattr(workers, "run_in_caller", lambda: None)
    environ = {"CUDA_VISIBLE_DEVICES": card}
    if shared:
        environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    workers.set_up(*given[0])
    assert os.environ == environ


def test_a_process_goes_on_with_what_earlier_tasks_have_left_it(tmp_path):
    """The first takes its process with it; another one runs the rest."""
    todo = [Task("killed", Killed(), tmp_path / "a")]
    todo += [Task(name, Telling(), tmp_path / name) for name in "bcd"]
    todo.insert(1, Task("waits", Telling(after=tmp_path / "done"), tmp_path / "waits"))
    todo.append(Task("ends", Telling(leaves=tmp_path / "done"), tmp_path / "ends"))
    killed, waited, *others = executor(2, "", tmp_path)(todo)
    assert killed.startswith("its process was ended by signal 9")
    places = {said.split(", process ")[1] for said in others}
    assert len(places) == 1 and waited.split(", process ")[1] not in places


def test_tasks_of_one_process_share_folds(monkeypatch):
    given, answers, todo = [], [], ["first", "second"]

    def received():
        if not todo:
            raise EOFError  # as of a link that was closed
        return todo.pop(0)

    monkeypatch.setattr(workers, "run_task", lambda task, folds: given.append(folds) or task)
    monkeypatch.setattr(workers, "set_up", lambda card, shared: None)
    monkeypatch.setattr(workers.processes, "end_with_parent", lambda parent: None)
    monkeypatch.setattr(workers.stopping, "answer_in_worker", lambda: None)
    link = types.SimpleNamespace(recv=received, send=answers.append)
    workers._work(link, "", False, 0)
    assert answers == ["first", "second"]
    assert given[0] is given[1] and isinstance(given[0], SharedFolds)


def test_an_array_tells_of_each_task_what_came_of_it(tmp_path, monkeypatch):
    """One was completed, one rejected, and of one the node was lost; in the order of the tasks."""
    given = {}

    def lost():
        raise RuntimeError("Job 7 ended.\n\nsee its log: /logs/7.err")

    class Queue:
        def __init__(self, folder, cluster):
            given.update(folder=folder, cluster=cluster)

        def update_parameters(self, **options):
            given.update(options)

        def map_array(self, run, tasks):
            given["tasks"] = tasks
            results = (lambda: "", lambda: "ROI 'V9' does not exist.", lost)
            return [types.SimpleNamespace(result=result) for result in results]

    monkeypatch.setitem(sys.modules, "submitit", types.SimpleNamespace(AutoExecutor=Queue))
    todo = [Task(name, {}, tmp_path / name) for name in "abc"]
    problems = executor(1, "slurm_partition=gpu timeout_min=5", tmp_path)(todo)
    assert problems == [
        "",
        "ROI 'V9' does not exist.",
        "RuntimeError Job 7 ended. see its log: /logs/7.err",
    ]
    expected = {"folder": tmp_path / "slurm", "cluster": "slurm", "tasks": todo}
    assert given == {**expected, "slurm_partition": "gpu", "timeout_min": 5}


class Killed(dict):
    """A config at whose sight the system kills the process, as it does when memory is out."""

    def to_dict(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Telling(dict):
    """A config that is refused with its process, and what that may use of which card.

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
        ahead = os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE")
        raise InputError(f"{card}, {ahead}, process {os.getpid()}")
