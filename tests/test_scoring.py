"""The eight numbers of a run: those whose weights are there, and a sentence for the others."""

import numpy as np
import pytest

from fmri_jax import pretrained, scoring
from fmri_jax.crossvalidation import Rows
from fmri_jax.errors import InputError
from fmri_jax.evaluation.eight_numbers import NUMBERS, eight_numbers
from fmri_jax.evaluation.scores import EvaluationConfig


@pytest.fixture
def rows():
    """Five test images, the second one twice, and a training image."""
    rng = np.random.default_rng(0)
    targets = rng.uniform(size=(7, 20, 20, 3)).astype(np.float32)
    targets[2] = targets[1]
    made = (0.3 * targets + 0.7 * rng.uniform(size=targets.shape)).astype(np.float32)
    n = len(targets)
    return Rows(
        targets=targets,
        reconstructions=made,
        ridge=made,
        mean_image=made,
        shuffled=made,
        vs_train=np.zeros((n, 4, 2)),
        stimulus=np.array([0, 1, 1, 2, 3, 4, 5], np.int32),
        split=np.array(["test"] * 6 + ["train"]),
        fold=np.full(n, "all"),
    )


def test_the_row_has_what_can_be_computed_and_says_what_cannot(rows, tmp_path, monkeypatch):
    real = pretrained.load

    def only_alexnet_downloads(name, path=None):
        if name == "alexnet" or path:
            return real(name, path)
        raise InputError(f"the weights of {name} cannot be reached: get them.")

    monkeypatch.setattr(pretrained, "load", only_alexnet_downloads)
    config = EvaluationConfig(
        perceptual=False, n_bootstrap=50, eight_numbers=True, clip_weights=str(tmp_path / "no.pth")
    )
    row = scoring.score_run(rows, tuple("abcdef"), 1, config, None)["eight_numbers"]
    assert set(row["values"]) | set(row["not_computed"]) == set(NUMBERS)
    assert set(row["not_computed"]) == {"inception", "clip", "efficientnet_b1", "swav"}
    assert (
        row["not_computed"]["swav"] == "the weights of swav_resnet50 cannot be reached: get them."
    )
    assert "no.pth is not a file" in row["not_computed"]["clip"]
    params = {"alexnet": real("alexnet")}
    for number, values in eight_numbers(rows.targets[:6], rows.reconstructions[:6], params).items():
        found = row["values"][number]
        assert found["value"] == pytest.approx(values.mean())
        assert found["low"] <= found["value"] <= found["high"]


def test_it_is_computed_only_on_request(rows):
    config = EvaluationConfig(perceptual=False, n_bootstrap=10)
    assert "eight_numbers" not in scoring.score_run(rows, tuple("abcdef"), 1, config, None)


def test_a_single_stimulus_has_no_interval(rows):
    """Resampling one stimulus gives it again and again: an interval of width 0."""
    one = rows.take(np.array([False, True, True, False, False, False, True]))
    config = EvaluationConfig(perceptual=False, n_bootstrap=50)
    scores = scoring.score_run(one, tuple("abcdef"), 1, config, None)
    assert set(scores["test"]) >= {"pixel_correlation", "mse"}
    assert all(set(entry) == {"value"} for entry in scores["test"].values())
    several = scoring.score_run(rows, tuple("abcdef"), 1, config, None)
    assert all({"low", "high"} < set(entry) for entry in several["test"].values())
