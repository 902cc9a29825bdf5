"""A run whose files were damaged or mixed up says so; one that is scored again never mixes them."""

import dataclasses
import errno
import json
import os
import pathlib
import shutil
import sys

import numpy as np
import pytest

from fmri_jax import cli
from fmri_jax.archives import read_npz
from fmri_jax.errors import InputError
from fmri_jax.evaluation.notes import Note
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from tests.pipeline.test_run import small_gan, write_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("recordings") / "mine.npz"
    write_recording(path, seed=0)
    return path


@pytest.fixture(scope="module")
def finished(recording, tmp_path_factory) -> pathlib.Path:
    workdir = tmp_path_factory.mktemp("runs") / "run"
    run(small_gan(recording), workdir, progress=False)
    return workdir


@pytest.fixture
def workdir(finished, tmp_path) -> pathlib.Path:
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(finished, tmp_path / "run")


def test_the_file_of_another_fold_is_refused(recording, workdir):
    """In a run of an earlier version, which has no digests: otherwise it is damaged."""
    (workdir / "SHA256SUMS").unlink()
    (workdir / "report.html").unlink()
    folds = workdir / "folds"
    (folds / "002.npz").write_bytes((folds / "001.npz").read_bytes())
    with pytest.raises(InputError, match="002.npz holds fold 'stimulus 1': .* fold 'stimulus 2'"):
        run(small_gan(recording), workdir, progress=False)


def flip(path: pathlib.Path) -> None:
    """Changes one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "names",
    [
        ("config.json", "metrics.jsonl", "reconstructions.npz", "figures/reconstructions.png"),
        ("run.json", "folds/001.npz", "decoders/stimulus_0/decoder.safetensors"),
    ],
)
def test_no_damage_of_a_finished_run_is_silent_and_its_command_mends_it(
    recording, finished, workdir, names, capsys, caplog
):
    assert cli.main(["check", str(workdir)]) == 0
    for name in names:
        flip(workdir / name)
    capsys.readouterr()
    assert cli.main(["check", str(workdir)]) == 1
    found = capsys.readouterr().out
    assert all(f"{workdir / name} is not as it was written" in found for name in names)
    run(small_gan(recording), workdir, progress=False)
    assert all(name in caplog.text for name in names)
    assert cli.main(["check", str(workdir)]) == 0
    for same in ("config.json", "scores.json"):
        assert (workdir / same).read_bytes() == (finished / same).read_bytes()
    there, here = (read_npz(folder / "reconstructions.npz") for folder in (finished, workdir))
    assert all(np.array_equal(there[key], here[key]) for key in there)


def test_a_finished_run_on_a_disk_that_takes_no_more_has_its_page(recording, workdir, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    page = workdir / "report.html"
    assert run(small_gan(recording), workdir, progress=False) == page
    assert {path: path.stat().st_mtime_ns for path in workdir.rglob("*")} == before


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(
    recording, tmp_path, monkeypatch
):
    def full(stream, **arrays):
        stream.write(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    config, workdir = default_config("local_decoders", "file"), tmp_path / "run"
    config.data.path, config.preparation.split = str(recording), "stimulus"
    config.method.decoder, config.method.weights = "ridge", "equal"
    config.evaluation.perceptual, config.evaluation.n_bootstrap = False, 20
    with monkeypatch.context() as disk:
        disk.setattr(np, "savez_compressed", full)
        with pytest.raises(InputError, match="run could not be written to .*: expected a disk"):
            run(config, workdir, progress=False)
    assert (workdir / "folds").is_dir() and not list(workdir.rglob("*.unfinished"))
    assert run(config, workdir, progress=False).exists()


def scored_otherwise(recording):
    config = small_gan(recording)
    config.title, config.evaluation.n_bootstrap, config.evaluation.seed = "Other scores", 30, 5
    config.evaluation.metrics = ("mse", "identification_vs_train", "identification_vs_train_rank")
    return config


def state(workdir: pathlib.Path) -> tuple[str, ...]:
    """What says how a run was scored, and what came of it."""
    read = {name: (workdir / name).read_text() for name in ("config.json", "scores.json")}
    title = json.loads((workdir / "run.json").read_text())["title"]
    return read["config.json"], read["scores.json"], title


def test_other_scores_of_a_finished_run_need_no_training(recording, workdir, tmp_path):
    run(scored_otherwise(recording), tmp_path / "fresh", progress=False)
    trained = [*(workdir / "folds").iterdir(), workdir / "metrics.jsonl"]
    before = [path.stat().st_mtime_ns for path in trained]
    page = run(scored_otherwise(recording), workdir, progress=False)
    assert [path.stat().st_mtime_ns for path in trained] == before
    assert state(workdir) == state(tmp_path / "fresh")
    assert "Other scores" in page.read_text()
    figures, fresh = (
        {path.name for path in (folder / "figures").iterdir()}
        for folder in (workdir, tmp_path / "fresh")
    )
    assert figures == fresh  # none is left of scores that are no longer there


@pytest.mark.parametrize("written", ["config.json", "scores.json", "report.html"])
def test_a_run_killed_while_its_scores_are_replaced_has_not_finished(
    recording, finished, workdir, written, monkeypatch
):
    replace = os.replace

    def killed(source, target):
        if pathlib.Path(target) == workdir / written and not (workdir / "report.html").exists():
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("fmri_jax.files.os.replace", killed)
        run(scored_otherwise(recording), workdir, progress=False)
    assert not (workdir / "report.html").exists()
    assert (workdir / "scores.json").exists() == (written == "report.html")
    run(small_gan(recording), workdir, progress=False)
    assert state(workdir) == state(finished)


def test_what_is_finished_stays_until_other_scores_are_there(
    recording, finished, workdir, monkeypatch
):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules[run.__module__], "score_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(scored_otherwise(recording), workdir, progress=False)
    for name in ("config.json", "run.json", "scores.json", "report.html"):
        assert (workdir / name).read_bytes() == (finished / name).read_bytes()


def test_a_finished_run_is_scored_again_by_new_code_when_asked_to(recording, workdir, monkeypatch):
    module = sys.modules[run.__module__]
    score_run = module.score_run
    note = Note("remark", "info", "New code.")
    monkeypatch.setattr(
        module,
        "score_run",
        lambda *given: dataclasses.replace(score_run(*given), notes=(note,)),
    )
    page = run(small_gan(recording), workdir, progress=False)
    assert "New code." not in page.read_text()
    about = json.loads((workdir / "run.json").read_text())
    about["phases"] = [{"name": "score", "wall_s": 1e6, "cpu_s": 1e6}]
    (workdir / "run.json").write_text(json.dumps(about))
    run(small_gan(recording), workdir, progress=False, rescore=True)
    assert "New code." in page.read_text()
    phases = json.loads((workdir / "run.json").read_text())["phases"]
    assert all(phase["wall_s"] < 1e6 for phase in phases)  # not that of the scores replaced
