"""Folders that the version before wrote: pages, scores, killed runs and comparisons go on working.

`old_runs/version_1` was written by commit 784d1c2 on random images: local decoders finished and
killed after the first of two folds, and a GAN that shares images between its folds.
"""

import json
import pathlib
import shutil

import numpy as np
import pytest

from fmri_jax import report
from fmri_jax.evaluation import notes
from fmri_jax.evaluation.baselines import BASELINES
from fmri_jax.pipeline import rows
from fmri_jax.pipeline.run import run
from fmri_jax.report import run_notes
from fmri_jax.report.io import workdir
from tests.report.test_page import Page

OLD = pathlib.Path(__file__).parent / "old_runs" / "version_1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    return shutil.copytree(OLD, tmp_path_factory.mktemp("old") / "runs")


@pytest.fixture(autouse=True)
def recordings(monkeypatch):
    """Their configs name the recordings by this variable."""
    monkeypatch.setenv("OLD_RUNS", str(OLD))


def config_of(path: pathlib.Path) -> dict:
    return json.loads((path / "config.json").read_text())


def scores_of(path: pathlib.Path) -> dict:
    return json.loads((path / "scores.json").read_text())


def test_the_page_is_written_again(folder):
    page = Page(report.write(folder / "gan"))
    old = scores_of(OLD / "gan")
    assert f"{old['test']['ssim']['value']:.3f}".replace("-", "−") in page.text
    assert all(text in page.text for text in old["notes"])
    kinds = [note.kind for note in run_notes.of_run(workdir.read(folder / "gan"))]
    assert kinds[:4] == ["shared_images", "simulated", "circular_metric", "chance"]


def test_a_finished_run_is_scored_again(folder):
    path = folder / "local_decoders"
    report.write(path)  # what says that it is finished
    run(config_of(path), path, progress=False, rescore=True)
    old, new = scores_of(OLD / "local_decoders"), scores_of(path)
    for metric, score in old["test"].items():
        found = new["sets"]["test"][metric]  # intervals of few stimuli are Student's since
        assert found["value"] == pytest.approx(score["value"], abs=1e-6), metric
    for baseline, scores in old["baselines"].items():
        for metric, value in scores.items():
            assert new["baselines"][baseline][metric]["value"] == pytest.approx(value, abs=1e-6)
    kept = {name: value for name, value in old["trust"].items() if name != "identification_2way_p"}
    found = {name: new["diagnostics"][name] for name in kept}
    assert found == pytest.approx(kept, abs=1e-6)  # the permutation test keeps the folds since
    assert {note["kind"] for note in new["notes"]} <= set(notes.KINDS) - {"remark"}
    # Those that came later are made of old folds, too.
    assert set(new["baselines"]) == {
        name for name, b in BASELINES.items() if b.prepare and not b.control
    }


def test_a_killed_run_is_resumed(folder):
    path = folder / "killed"
    kept = (path / "folds" / "000.npz").stat().st_mtime_ns
    run(config_of(path), path, progress=False)
    assert (path / "folds" / "000.npz").stat().st_mtime_ns == kept
    expected = np.load(OLD / "local_decoders" / "reconstructions.npz")
    found = np.load(path / "reconstructions.npz")
    for name in ("targets", "reconstructions", "baseline_ridge"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(found["fold"], expected["fold"])


def test_an_old_run_is_compared_with_a_new_one(folder, tmp_path):
    new = tmp_path / "new"
    run(config_of(OLD / "local_decoders"), new, progress=False)
    compared = report.compare({"old": OLD / "local_decoders", "new": new}, tmp_path / "out")
    text = Page(compared.page).text
    assert "2 variants in 2 runs" in text and "other test images" not in text
    assert "differently" not in text  # options that came later are not known to differ


def test_old_folds_hold_the_baselines_that_need_the_fitted_method():
    found = rows.read(OLD / "killed" / "folds" / "000.npz", "stimulus group 1 of 2")
    assert set(found.predictions) == {rows.METHOD, "ridge", "mean_image", "shuffled_fmri"}
    assert set(found.vs_train) == set(found.predictions)
