"""Layers of a single run fitted as tasks of their own, before the run itself."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from fmri_jax.data.preparation.folds import folds
from fmri_jax.errors import InputError
from fmri_jax.linear.feature_ridge import layers
from fmri_jax.methods import RunContext, feature_decoding
from fmri_jax.methods.feature_decoding import own_voxels
from fmri_jax.pipeline import experiment_config, recording_identity
from fmri_jax.pipeline.distributed import fit_parts
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.sweep import run_task
from fmri_jax.training.mesh import make_mesh
from tests.pipeline.small_recording import write_recording

FLAG = "--jobs=2"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Two folds of 12 images in 30 voxels; one layer of AlexNet, ten voxels per unit."""
    path = tmp_path_factory.mktemp("recording") / "recording.npz"
    write_recording(path)
    config = default_config("feature_decoding", "file").to_dict()
    config["data"]["path"] = str(path)
    config["n_devices"] = 1
    config["preparation"] |= {"split": "stimulus", "n_folds": 2}
    config["method"] |= {"layers": ("relu1",), "n_voxels": 10, "pixel_weight": 0.0}
    config["evaluation"] |= {"n_bootstrap": 0, "perceptual": False}
    return config


def one_by_one(tasks):
    return [run_task(task) for task in tasks]


def decoded(config, folder):
    """The first layer of a fold's training trials, as the fit of a run in `folder` decodes it."""
    options = experiment_config.read(config)
    found = []
    for fold in folds(recording_identity.load(options), options.preparation):
        context = RunContext(folder, fold.name, jax.random.key(0), make_mesh(1), progress=False)
        fitted = feature_decoding.build(options.method_config).fit(fold.train, context)
        found.append(np.asarray(fitted.own["relu1"].predict(fold.train.fmri)))
    return found


def test_a_fit_uses_the_layers_that_were_fitted_apart(config, tmp_path, monkeypatch):
    expected = decoded(config, tmp_path / "in memory")
    assert not (tmp_path / "in memory").exists()
    tmp_path = tmp_path / "run"
    fit_parts(config, tmp_path, one_by_one, FLAG)
    places = {path.parent.relative_to(tmp_path).parts for path in tmp_path.rglob("ridge.json")}
    folds = {place[1] for place in places}
    assert len(folds) == 2 and len(places) == 2 * 6  # with five inner folds each
    lost = next(tmp_path.rglob("inner/relu1/3"))
    shutil.rmtree(lost)
    solved = []
    monkeypatch.setattr(own_voxels.ridges, "fit", lambda *given: solved.append("in memory"))
    solve = layers.selected.solve
    monkeypatch.setattr(
        layers.selected, "solve", lambda *given: solved.append("block") or solve(*given)
    )
    fit_parts(config, tmp_path, one_by_one, FLAG)  # resumed: only what is missing
    assert set(solved) == {"block"} and len(solved) == len(list(lost.glob("units_*")))
    solved.clear()
    np.testing.assert_allclose(decoded(config, tmp_path), expected, atol=1e-5)
    assert not solved
    (tmp_path / "folds").mkdir()
    for number in range(2):
        (tmp_path / f"folds/00{number}.npz").touch()
    fit_parts(config, tmp_path, lambda tasks: pytest.fail("finished folds have no tasks"), FLAG)


def test_layers_kept_of_other_responses_are_not_used(config, tmp_path):
    fit_parts(config, tmp_path / "one", lambda tasks: one_by_one(tasks[:1]), FLAG)
    other = {**config, "preparation": {**config["preparation"], "standardise": False}}
    fit_parts(other, tmp_path / "other", lambda tasks: [], FLAG)
    shutil.copytree(tmp_path / "one/features", tmp_path / "other/features")
    with pytest.raises(InputError, match="holds a fit with other responses"):
        decoded(other, tmp_path / "other")


def test_what_could_not_be_computed_is_reported(config, tmp_path):
    def failing(tasks):
        assert [task.part for task in tasks] == [(0, "relu1"), (1, "relu1")]
        assert dataclasses.replace(tasks[0], part=None).workdir == tmp_path
        return ["", "out of memory."]

    with pytest.raises(InputError, match="1 of 2 parts were not computed, the first because out"):
        fit_parts(config, tmp_path, failing, FLAG)
