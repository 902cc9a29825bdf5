"""Parts of a run shared out over processes: each once, and what went wrong by its part."""

import dataclasses
import socket
import threading

import pytest

from fmri_jax.errors import InputError
from fmri_jax.pipeline import followers
from fmri_jax.pipeline.sweep import Task
from fmri_jax.training.group import Group

PARTS = [(fold, layer) for fold in (0, 1) for layer in ("relu1", "relu2", "relu3")]


@dataclasses.dataclass
class Told:
    """A group of one process that is told orders."""

    index: int = 1
    given: tuple = ()

    def orders(self):
        return iter(self.given)


def test_every_part_is_computed_once_and_problems_stand_by_their_part(tmp_path, monkeypatch):
    """Six parts over three processes, which take turns: (0, 3), (1, 4), (2, 5)."""
    config, done = {"title": "parts"}, []
    (tmp_path / "config.json").touch()

    def run_task(task):
        assert task.config == config and task.workdir == tmp_path
        done.append((threading.current_thread().name, task.part))
        return "" if task.part[1] != "relu2" else f"{task.part[0]} is out of memory"

    monkeypatch.setattr(followers, "run_task", run_task)
    monkeypatch.setattr(followers.compiled_programs, "keep", lambda: None)
    monkeypatch.setattr(followers.parts, "recording_of", lambda given: pytest.fail("read"))
    pairs = {index: socket.socketpair() for index in (1, 2)}
    first = Group(0, {index: pair[0] for index, pair in pairs.items()})

    def other(index):
        group = Group(index, {0: pairs[index][1]})
        followers.follow(config, tmp_path, group)
        group.close()

    threads = [threading.Thread(target=other, args=(i,), name=str(i)) for i in pairs]
    for thread in threads:
        thread.start()
    tasks = [Task("", config, tmp_path, part=part) for part in PARTS]
    problems = followers.shared_out(tasks, first)
    first.close()
    for thread in threads:
        thread.join(20)
    for end in (end for pair in pairs.values() for end in pair):
        end.close()
    middle = [f"{fold} is out of memory" if layer == "relu2" else "" for fold, layer in PARTS]
    assert problems == middle
    by = {part: who for who, part in done}
    assert len(done) == len(by) == 6
    assert [by[part] for part in PARTS] == 2 * ["MainThread", "1", "2"]


def test_a_folder_that_this_host_does_not_see_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(followers, "_APPEAR", 0.0)
    monkeypatch.setattr(followers.time, "sleep", lambda seconds: None)
    with pytest.raises(InputError, match=r"holds no run as process 1 on .* --workdir"):
        followers.obey({"fit": 0}, {}, tmp_path, Told(), lambda: pytest.fail("read"))


def test_a_file_of_another_host_is_waited_for(tmp_path, monkeypatch):
    """The fold is fitted once the folder of the run is seen, on the devices of all processes."""
    waited, fitted = [], []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            (tmp_path / "config.json").touch()

    monkeypatch.setattr(followers.time, "sleep", sleep)
    monkeypatch.setattr(followers, "_fit", lambda *given: fitted.append(given))
    followers.obey({"fit": 4}, {"a": 1}, tmp_path, Told(), lambda: "recording")
    assert len(waited) == 3 and fitted == [({"a": 1}, tmp_path, 4, "recording")]
