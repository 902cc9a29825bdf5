"""The sweep: rows that share folds, their workdirs, figures and table of weights."""

import csv
import json
import os

import numpy as np
import pytest

from fmri_jax import data, report
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.recording import Recording
from fmri_jax.evaluation import baselines, binary
from fmri_jax.methods.local_decoders import figures
from fmri_jax.methods.local_decoders.options import Config
from fmri_jax.methods.local_decoders.sweep import EXPECTED, rows, sweep, write_workdirs


@pytest.fixture(scope="module")
def splits():
    """Folds of a small simulated recording, leave one image in four out."""
    rng = np.random.default_rng(0)
    images = (255 * (rng.random((8, 5, 5, 1)) < 0.4)).astype(np.uint8)
    stimulus = (np.arange(32) % 8).astype(np.int32)
    mixing = rng.standard_normal((25, 40)) * (rng.random((25, 40)) < 0.2)
    fmri = images[stimulus].reshape(32, 25) / 255 @ mixing + 0.3 * rng.standard_normal((32, 40))
    recording = Recording(
        fmri=fmri.astype(np.float32),
        stimulus=stimulus,
        images=images,
        run=np.zeros(32, np.int32),
        rois={},
        stimulus_names=tuple("abcdefgh"),
        split=np.full(32, "train"),
    )
    split = PreparationConfig(split="stimulus", n_folds=4, average_repeats="none")
    return list(folds(recording, split))


@pytest.fixture(scope="module")
def done(splits):
    """Three rows."""
    configs = {
        "first": Config(weights="equal", n_nonzero=4),
        "learned": Config(weights="learned", n_nonzero=4, n_inner=2),
        "1x1": Config(scales=(1,), weights="equal", n_nonzero=4),
    }
    return sweep(splits, configs)


def test_every_row_reconstructs_every_trial_once(done):
    assert sorted(done.stimulus) == sorted(np.arange(32) % 8)
    for row in done.rows.values():
        assert row.reconstructions.shape == done.targets.shape == (32, 5, 5, 1)
        assert len(row.models) == 4 and row.seconds > 0
    assert done.rows["first"].models[0].elements is done.rows["learned"].models[0].elements
    assert set(done.baselines) == {"all_black", "mean_image", "ridge", "shuffled_fmri"}


def test_workdirs_are_what_the_report_compares(done, tmp_path):
    about = {"data": {"name": "simulated", "simulated": True, "trials": 32, "voxels": 40}}
    workdirs = write_workdirs(done, tmp_path, about)
    compared = report.compare(workdirs, tmp_path)
    with compared.csv.open(encoding="utf-8") as file:
        table = [line for line in csv.DictReader(file) if line["metric"] == "accuracy"]
    found = {line["variant"]: line for line in table}
    assert set(workdirs) < set(found) and len(found) >= len(workdirs) + 3
    for name, row in done.rows.items():
        counts = np.asarray(binary.counts(done.targets, row.reconstructions)).sum(axis=0)
        value = float(found[name]["value"])
        assert value == pytest.approx(float(binary.accuracy(counts)), abs=1e-4)
        assert float(found[name]["low"]) <= value <= float(found[name]["high"])
    assert found["1x1"]["p"] and not found["first"]["p"]
    config = json.loads((workdirs["learned"] / "config.json").read_text())
    assert config["method"]["weights"] == "learned"


@pytest.mark.parametrize("name", ["scores.json", "reconstructions.npz"])
def test_a_workdir_that_is_written_again_keeps_its_old_files_until_then(
    done, tmp_path, monkeypatch, name
):
    about = {"data": {"name": "simulated", "simulated": True, "trials": 32, "voxels": 40}}
    folder = write_workdirs(done, tmp_path, about)["first"]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    replace = os.replace

    def killed(source, target):
        if target == folder / name:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_workdirs(done, tmp_path, about)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_figures_and_the_table_of_scale_weights(done, tmp_path):
    files = figures.write(done, tmp_path)
    assert {file.name for file in files} == {
        "pictures.png",
        "voxels.png",
        "scale_weights.png",
        "scale_weights.csv",
    }
    assert all(file.stat().st_size > 100 for file in files)
    with (tmp_path / "scale_weights.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [line["scale"] for line in table] == ["1x1", "1x2", "2x1", "2x2"]
    expected = np.mean([model.weights for model in done.rows["learned"].models], axis=0)
    np.testing.assert_allclose([float(line["weight"]) for line in table], expected, atol=1e-4)


def test_rows_are_one_change_away_from_nilearn_s_example():
    table = rows()
    first = table["OMP, s = 2"]
    assert (first.n_voxels, first.n_nonzero, first.weights) == (500, 10, "equal")
    assert {name for pair in EXPECTED for name in pair} <= set(table)


def test_choices_on_inner_folds_decode_real_voxels(recordings):
    """The best configuration by inner folds alone, on two of the twenty images."""
    recording = data.load(str(recordings / "miyawaki2008_s1_v1_figures.npz"))
    split = PreparationConfig(split="stimulus", average_repeats="none")
    chosen = list(folds(recording, split))[4:6]
    done = sweep(chosen, {"chosen": Config(select="inner")})
    row = done.rows["chosen"]
    counts = np.asarray(binary.counts(done.targets, row.reconstructions)).sum(axis=0)
    assert binary.accuracy(counts) > 0.95
    assert all(model.config.decoder == "receptive_fields" for model in row.models)


def test_single_trials_are_compared_with_ridge_regression_on_single_trials(done, splits):
    train, test = splits[0].train, splits[0].tests["test"]
    for average in (False, True):
        ridge = baselines.ridge(train.fmri, train.stimulus, train.images, average=average)
        same = np.allclose(ridge.reconstruct(test.fmri), done.baselines["ridge"][:8], atol=1e-5)
        assert same != average
