"""A run whose files were damaged or mixed up says so, and goes on once they are deleted."""

import errno
import os
import pathlib
import shutil

import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.experiment import default_config
from fmri_jax.run import run
from tests.test_run import small_gan, write_recording


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
    (workdir / "report.html").unlink()
    folds = workdir / "folds"
    (folds / "002.npz").write_bytes((folds / "001.npz").read_bytes())
    with pytest.raises(InputError, match="002.npz holds fold 'stimulus 1': .* fold 'stimulus 2'"):
        run(small_gan(recording), workdir, progress=False)


@pytest.mark.parametrize("damage", ["{", "[]", '{"data": 3}', '{"learned": []}', b"\xff\xfe{"])
def test_a_damaged_record_of_a_run_is_refused_until_it_is_deleted(recording, workdir, damage):
    page = workdir / "report.html"
    scores = (workdir / "scores.json").read_text()
    page.unlink()
    content = damage if isinstance(damage, bytes) else damage.encode()
    (workdir / "run.json").write_bytes(content)
    with pytest.raises(InputError, match="run.json cannot be read .*: expected") as raised:
        run(small_gan(recording), workdir, progress=False)
    assert "\n" not in str(raised.value)
    (workdir / "run.json").unlink()
    assert run(small_gan(recording), workdir, progress=False) == page and page.exists()
    assert (workdir / "scores.json").read_text() == scores


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
