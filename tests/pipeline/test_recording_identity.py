"""A run knows its recording again: files that changed, and a virtual subject rounded otherwise."""

import dataclasses
import json
import os
import pathlib
import shutil

import ml_collections
import numpy as np
import pytest

from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.pipeline import recording_identity
from fmri_jax.pipeline.experiment_config import default_config, read
from fmri_jax.pipeline.json_files import read_sealed, write_sealed
from fmri_jax.pipeline.run import run
from tests.pipeline.killing import killed_before_the_second_fold
from tests.pipeline.test_run import small_gan, write_recording


def stamp_of(folder: pathlib.Path) -> dict:
    config = default_config("gan", "file")
    config.data.file.images = str(folder)
    return recording_identity.stamps(read(config.to_dict()))["images"]


@pytest.mark.parametrize("name", ["a.png", "deeper/b.png"])
def test_a_picture_written_over_in_its_folder_is_noticed(tmp_path, name):
    """The folder's own size and time stay the same."""
    for there in ("a.png", "deeper/b.png"):
        (tmp_path / there).parent.mkdir(exist_ok=True)
        (tmp_path / there).write_bytes(b"one")
    folder, before = tmp_path.stat(), stamp_of(tmp_path)
    assert stamp_of(tmp_path) == before
    (tmp_path / name).write_bytes(b"two")
    os.utime(tmp_path / name, ns=(1, 1))
    assert tmp_path.stat().st_mtime_ns == folder.st_mtime_ns
    assert stamp_of(tmp_path) != before


def test_a_picture_more_in_a_subfolder_is_noticed(tmp_path):
    (tmp_path / "deeper").mkdir()
    before = stamp_of(tmp_path)
    (tmp_path / "deeper/b.png").write_bytes(b"one")
    assert stamp_of(tmp_path) != before


def simulated() -> ml_collections.ConfigDict:
    config = default_config(method="local_decoders", data="virtual_subject")
    subject = config.data.virtual_subject
    subject.image_size, subject.n_training, subject.n_test, subject.n_voxels = 8, 6, 3, 9
    subject.training_repeats = subject.test_repeats = 2
    subject.shape_repeats = subject.letter_repeats = 0
    subject.areas = ("V1", "V2")
    config.preparation.split, config.preparation.n_folds = "stimulus", 2
    config.method.decoder, config.method.weights = "ridge", "equal"
    config.evaluation.perceptual, config.evaluation.n_bootstrap = False, 20
    return config


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMRI_JAX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def begun(cache, tmp_path_factory) -> pathlib.Path:
    """A run of a virtual subject that was stopped after its first fold."""
    workdir = tmp_path_factory.mktemp("runs") / "begun"
    with killed_before_the_second_fold():
        run(simulated(), workdir, progress=False)
    return workdir


@pytest.fixture
def workdir(begun, tmp_path) -> pathlib.Path:
    return shutil.copytree(begun, tmp_path / "run")


def rounded(recording: Recording) -> Recording:
    """The responses that another version of the package would have simulated."""
    noise = np.random.default_rng(1).uniform(-3e-5, 3e-5, recording.fmri.shape)
    return dataclasses.replace(recording, fmri=recording.fmri + noise.astype(np.float32))


def load_changed(patch: pytest.MonkeyPatch, change) -> None:
    load = recording_identity.load
    patch.setattr(recording_identity, "load", lambda options: change(load(options)))


def data_of(workdir: pathlib.Path) -> dict:
    return json.loads((workdir / "run.json").read_text())["data"]


def test_a_run_goes_on_with_a_virtual_subject_that_is_rounded_otherwise(workdir, monkeypatch):
    """And is scored again so; what it was begun with stays the measure of what comes later."""
    before, first = data_of(workdir), (workdir / "folds/000.npz").stat().st_mtime_ns
    load_changed(monkeypatch, rounded)
    assert run(simulated(), workdir, progress=False).exists()
    load_changed(monkeypatch, rounded)
    assert run(simulated(), workdir, progress=False, rescore=True).exists()
    assert (workdir / "folds/000.npz").stat().st_mtime_ns == first
    assert data_of(workdir) == before


def other_pixel(recording: Recording) -> Recording:
    images = recording.images.copy()
    images[0, 0, 0, 0] ^= 1
    return dataclasses.replace(recording, images=images)


OTHERS = {
    "responses": lambda s: dataclasses.replace(s, fmri=s.fmri[::-1].copy()),
    "one voxel": lambda s: dataclasses.replace(
        s, fmri=s.fmri * np.where(np.arange(9) == 4, np.float32(1.5), np.float32(1))
    ),
    "a pixel": other_pixel,
    "runs": lambda s: dataclasses.replace(s, run=s.run + np.int32(1)),
    "fewer trials": lambda s: dataclasses.replace(
        s,
        **{name: getattr(s, name)[:-1] for name in ("fmri", "stimulus", "run", "split")},
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_virtual_subject_is_refused(workdir, monkeypatch, other):
    load_changed(monkeypatch, lambda recording: OTHERS[other](rounded(recording)))
    with pytest.raises(
        InputError,
        match="was begun with another recording .* give the photographs .* resume with the vers",
    ):
        run(simulated(), workdir, progress=False)


@pytest.mark.parametrize("record", [None, 3, {}, {"all_but_responses": "", "responses": "x y"}])
def test_a_run_that_has_noted_no_responses_says_what_to_do(workdir, monkeypatch, record):
    about = read_sealed(workdir / "run.json")
    about["data"].pop("simulation", None)
    about["data"] |= {} if record is None else {"simulation": record}
    write_sealed(workdir / "run.json", about)
    with monkeypatch.context() as patch:
        load_changed(patch, rounded)
        with pytest.raises(InputError, match="version of fmri_jax that simulated it"):
            run(simulated(), workdir, progress=False)
    assert run(simulated(), workdir, progress=False).exists()


def test_a_recording_of_files_is_the_same_to_the_last_bit(tmp_path, monkeypatch):
    write_recording(tmp_path / "mine.npz", seed=0)
    with killed_before_the_second_fold():
        run(small_gan(tmp_path / "mine.npz"), tmp_path / "run", progress=False)
    load_changed(monkeypatch, rounded)
    with pytest.raises(InputError, match="another recording .* or give that recording"):
        run(small_gan(tmp_path / "mine.npz"), tmp_path / "run", progress=False)
