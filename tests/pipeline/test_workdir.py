"""A workdir belongs to one run, and files in it are whole or absent."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from fmri_jax.errors import InputError
from fmri_jax.files import locked, replacing
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.json_files import write_json, write_sealed
from fmri_jax.pipeline.workdir import (
    FOLDS_OF,
    claim,
    folds_of,
    is_outdated,
    outdate,
    provenance,
    take_back_results,
    writing_to,
)

CONFIG = {"seed": 0, "method": {"name": "gan", "halve_at": (1, 2)}}


def compute_something(workdir):
    (workdir / "folds").mkdir()


def test_the_same_run_may_come_back(tmp_path):
    assert claim(tmp_path / "a" / "b", CONFIG) is False
    assert claim(tmp_path / "a" / "b", CONFIG) is False  # nothing was computed yet
    compute_something(tmp_path / "a" / "b")
    assert claim(tmp_path / "a" / "b", CONFIG) is True


OPEN = {
    "gan": {"comparator_weights": "", "comparator_size": 0, "crop": 0},
    "local_decoders": {"alpha": 0.0, "block": 0},
}


@pytest.mark.parametrize("method", OPEN)
def test_a_run_of_an_earlier_version_is_the_same_run(tmp_path, method):
    """Its config says 0 or "" for what is open, and lacks options that have come since."""
    now = default_config(method, "file").to_dict()
    now["data"]["path"] = "mine.npz"
    earlier = json.loads(json.dumps(now))
    earlier["n_devices"] = 0
    earlier["preparation"] |= {"image_size": 0, "n_folds": 0}
    weights = ("inception_weights", "clip_weights", "efficientnet_weights", "swav_weights")
    earlier["evaluation"] |= {"perceptual_size": 0, **dict.fromkeys(weights, "")}
    earlier["method"] |= OPEN[method]
    del earlier["data"]["file"], earlier["preparation"]["noise_scaling"]
    assert claim(tmp_path, earlier) is False
    compute_something(tmp_path)
    write_json(tmp_path / "scores.json", {})
    assert claim(tmp_path, now) is True and not is_outdated(tmp_path, now)
    other = {**now, "preparation": {**now["preparation"], "n_folds": 3}}
    with pytest.raises(InputError, match="config.preparation.n_folds is None there and 3 here"):
        claim(tmp_path, other)


def test_a_run_that_computed_nothing_does_not_hold_its_folder(tmp_path):
    claim(tmp_path, CONFIG)
    write_json(tmp_path / "run.json", {})
    (tmp_path / ".run.json.unfinished").touch()
    assert claim(tmp_path, {**CONFIG, "seed": 1}) is False
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 1


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_has_become_read_only_is_refused(tmp_path):
    claim(tmp_path, CONFIG)
    compute_something(tmp_path)
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="choose a folder that can be written"):
        claim(tmp_path, CONFIG)
    tmp_path.chmod(0o700)


def test_another_run_is_refused_and_nothing_is_overwritten(tmp_path):
    claim(tmp_path, CONFIG)
    compute_something(tmp_path)
    before = (tmp_path / "config.json").read_text()
    with pytest.raises(InputError, match="config.seed is 0 there and 1 here"):
        claim(tmp_path, {**CONFIG, "seed": 1})
    with pytest.raises(InputError, match="config.method.width is None there and 2 here"):
        claim(tmp_path, {**CONFIG, "method": {**CONFIG["method"], "width": 2}})
    assert (tmp_path / "config.json").read_text() == before


def test_folds_may_be_scored_in_another_way_and_config_json_stays_that_of_the_scores(tmp_path):
    other = {**CONFIG, "title": "New", "evaluation": {"n_bootstrap": 200}}
    claim(tmp_path, CONFIG)
    compute_something(tmp_path)
    assert claim(tmp_path, other) is True and not is_outdated(tmp_path, other)
    assert json.loads((tmp_path / "config.json").read_text())["title"] == "New"
    write_json(tmp_path / "scores.json", {})
    assert claim(tmp_path, CONFIG) is True and is_outdated(tmp_path, CONFIG)
    assert json.loads((tmp_path / "config.json").read_text())["title"] == "New"
    with pytest.raises(InputError, match="config.seed is 0 there and 1 here"):
        claim(tmp_path, {**CONFIG, "title": "Newer", "seed": 1})
    assert not is_outdated(tmp_path, {**CONFIG, "seed": 1})


def test_the_page_is_taken_back_before_what_it_was_made_of(tmp_path, monkeypatch):
    for name in ("report.html", "scores.json"):
        (tmp_path / name).touch()
    taken = []
    monkeypatch.setattr("pathlib.Path.unlink", lambda path, **options: taken.append(path.name))
    take_back_results(tmp_path)
    assert taken[:2] == ["report.html", "scores.json"]


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="is not empty and holds no config.json"):
        claim(tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("damage", [None, b"{", b"[]", b"\xff\xfe{", b'{"seed": 3}'])
def test_a_damaged_config_is_written_again_where_the_record_knows_the_run(tmp_path, damage):
    claim(tmp_path, CONFIG)
    compute_something(tmp_path)
    write_sealed(tmp_path / "run.json", {FOLDS_OF: folds_of(CONFIG)})
    path = tmp_path / "config.json"
    whole = path.read_bytes()
    for record_too in (False, True):
        path.unlink() if damage is None else path.write_bytes(damage)
        if record_too:
            (tmp_path / "run.json").write_bytes(b"\0")
        with pytest.raises(InputError, match="holds another run|holds a run whose config.json"):
            claim(tmp_path, {**CONFIG, "seed": 1})
        if not record_too:
            assert claim(tmp_path, CONFIG) is True
            assert path.read_bytes() == whole


def test_a_damaged_config_of_an_earlier_version_is_written_again_for_its_method_and_seed(tmp_path):
    claim(tmp_path, CONFIG)
    compute_something(tmp_path)
    (tmp_path / "config.json").unlink()
    write_json(tmp_path / "run.json", {"method": "gan", "seed": 0})
    with pytest.raises(InputError, match="run.json is of another config"):
        claim(tmp_path, {**CONFIG, "seed": 1})
    assert claim(tmp_path, CONFIG) is True


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be used as --workdir"):
        claim(tmp_path / "file" / "run", CONFIG)


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "scores.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("moved", [True, False])
def test_a_folder_that_is_moved_or_deleted_under_a_run_is_one_message(tmp_path, moved):
    workdir, place = tmp_path / "run", tmp_path / "elsewhere"
    with pytest.raises(InputError) as raised, writing_to(workdir):
        claim(workdir, CONFIG)
        workdir.rename(place) if moved else shutil.rmtree(workdir)
        write_json(workdir / "scores.json", {})
    expected = f"{workdir} was moved to {place} while" if moved else f"{workdir} was deleted while"
    assert str(raised.value).startswith(expected)


def test_who_waits_for_a_lock_says_whose_it_is(tmp_path, caplog):
    lock = tmp_path / ".lock"
    with locked(lock):
        thread = threading.Thread(target=lambda: locked(lock, wait=True).__enter__())
        thread.start()
        while not caplog.records:
            time.sleep(0.01)
    thread.join()
    assert f"waiting for process {os.getpid()} on " in caplog.text


def test_two_processes_may_write_the_same_file(tmp_path, monkeypatch):
    path = tmp_path / "scores.json"
    with replacing(path) as unfinished:
        unfinished.write_text("of the first")
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", lambda: -1)
            write_json(path, "of the second")
        assert json.loads(path.read_text()) == "of the second"
    assert path.read_text() == "of the first"
    assert list(tmp_path.iterdir()) == [path]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


RUN_THAT_IS_KILLED = """
import json, os, pathlib, signal, sys
from fmri_jax.files import replacing
from fmri_jax.pipeline.workdir import claim, writing_to
workdir = pathlib.Path(sys.argv[1])
with writing_to(workdir), replacing(workdir / "scores.json") as unfinished:
    claim(workdir, json.loads(sys.argv[2]))
    unfinished.touch()
    print("at work", flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_in_which_another_process_works_is_refused_until_that_has_died(tmp_path):
    command = [sys.executable, "-c", RUN_THAT_IS_KILLED, str(tmp_path), json.dumps(CONFIG)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"at work\n"
        before = names(tmp_path)
        for other in (CONFIG, {**CONFIG, "seed": 1}):
            with pytest.raises(
                InputError, match=f"{tmp_path} is in use by .*process {process.pid} on"
            ):
                claim(tmp_path, other)
        assert names(tmp_path) == before
        assert json.loads((tmp_path / "config.json").read_text())["seed"] == 0
        process.stdin.close()
    assert any(name.endswith(".unfinished") for name in names(tmp_path))
    with writing_to(tmp_path):
        assert claim(tmp_path, {**CONFIG, "seed": 1}) is False
        assert names(tmp_path) == [".lock", "config.json"]


def test_a_folder_is_given_back_when_its_run_has_ended_or_failed(tmp_path):
    lock = tmp_path / ".lock"
    with writing_to(tmp_path):
        claim(tmp_path, CONFIG)
        with pytest.raises(BlockingIOError), locked(lock):
            pass
    with pytest.raises(KeyboardInterrupt), writing_to(tmp_path):
        claim(tmp_path, CONFIG)
        raise KeyboardInterrupt
    assert names(tmp_path) == ["config.json"]
    compute_something(tmp_path)
    with pytest.raises(InputError, match="holds another run"):
        claim(tmp_path, {**CONFIG, "seed": 1})
    outdate(tmp_path, CONFIG)  # by the parent of the process that will score again
    assert names(tmp_path) == [".outdated", "config.json", "folds"]
    with locked(lock), pytest.raises(InputError, match="in use"):
        outdate(tmp_path, CONFIG)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_will_do(tmp_path, monkeypatch, code):
    def without(descriptor, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", without)
    (tmp_path / ".scores.json.7.unfinished").touch()  # perhaps of a process that still runs
    write_json(tmp_path / "config.json", {})
    with writing_to(tmp_path):
        assert claim(tmp_path, CONFIG) is False
        assert names(tmp_path) == [".scores.json.7.unfinished", "config.json"]


def test_a_lock_that_was_given_back_while_another_waited_is_taken_anew(tmp_path):
    """Two processes would else hold two files of the same name."""
    lock, order = tmp_path / ".lock", []

    def waits():
        with locked(lock, wait=True) as alone:
            order.append(alone and lock.exists())

    with locked(lock) as alone:
        thread = threading.Thread(target=waits)
        thread.start()
        time.sleep(0.2)
        order.append(alone and lock.exists())
    thread.join()
    assert order == [True, True] and not lock.exists()


@pytest.mark.parametrize("kind", [OSError, ValueError])
def test_a_full_disk_is_said_in_one_sentence(tmp_path, kind):
    """Checkpoints report it as a ValueError of many lines."""
    with pytest.raises(InputError, match="could not be written to .no space left on device."):
        with writing_to(tmp_path):
            raise kind("RESOURCE_EXHAUSTED: /a/b:\nNo space left on device [os_error_code='28']")
    for other in (kind("anything else"), InputError("No space left on device, as said before.")):
        with pytest.raises(type(other)) as raised, writing_to(tmp_path):
            raise other
        assert raised.value is other


def test_provenance_names_versions_and_devices():
    found = provenance()
    assert found["versions"]["jax"] and found["versions"]["python"].startswith("3.")
    assert len(found["devices"]) == 4 or os.environ.get("XLA_FLAGS", "").find("=4") < 0


def test_a_run_that_was_killed_in_its_first_write_does_not_lock_its_folder(tmp_path):
    (tmp_path / ".config.json.123.unfinished").write_text('{"seed"')
    with writing_to(tmp_path):
        assert not claim(tmp_path, {"seed": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
