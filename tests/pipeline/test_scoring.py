"""The eight numbers of a run: those whose weights are there, and a sentence for the others."""

import dataclasses

import numpy as np
import pytest

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.evaluation.eight_numbers import NUMBERS, eight_numbers
from fmri_jax.evaluation.scores import EvaluationConfig
from fmri_jax.pipeline import scoring
from fmri_jax.pipeline.rows import Rows

NAMES = ("reconstructions", "ridge", "mean_image", "shuffled_fmri")


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
        predictions=dict.fromkeys(NAMES, made),
        vs_train=dict.fromkeys(NAMES, np.zeros((n, 2))),
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
    row = scoring.score_run(rows, tuple("abcdef"), 1, config, None)
    assert set(row.eight_numbers) | set(row.not_computed) == set(NUMBERS)
    assert set(row.not_computed) == {"inception", "clip", "efficientnet_b1", "swav"}
    assert row.not_computed["swav"] == "the weights of swav_resnet50 cannot be reached: get them."
    assert "no.pth is not a file" in row.not_computed["clip"]
    params = {"alexnet": real("alexnet")}
    for number, values in eight_numbers(rows.targets[:6], rows.reconstructions[:6], params).items():
        found = row.eight_numbers[number]
        assert found.value == pytest.approx(values.mean())
        if np.ptp(values):  # where all images score alike there is no interval
            assert found.low <= found.value <= found.high


def test_it_is_computed_only_on_request(rows):
    config = EvaluationConfig(perceptual=False, n_bootstrap=10)
    scores = scoring.score_run(rows, tuple("abcdef"), 1, config, None)
    assert "eight_numbers" not in scores.to_json()


def test_a_single_stimulus_has_no_interval(rows):
    """Resampling one stimulus gives it again and again: an interval of width 0."""
    one = rows.take(np.array([False, True, True, False, False, False, True]))
    config = EvaluationConfig(perceptual=False, n_bootstrap=50)
    scores = scoring.score_run(one, tuple("abcdef"), 1, config, None)
    assert set(scores.test) >= {"pixel_correlation", "mse"}
    assert not any(score.has_interval for score in scores.test.values())
    several = scoring.score_run(rows, tuple("abcdef"), 1, config, None)
    lines = [line.scores for line in several.per_image if line.split == "test"]
    differing = [m for m in several.test if len({line.get(m) for line in lines}) > 1]
    assert set(differing) >= {"pixel_correlation", "ssim", "mse"}
    assert all(several.test[metric].has_interval for metric in differing)


RATIO = np.sqrt((1 + 20 / 25) / (1 + 20 / 900))  # of 20 images tested


def test_each_baseline_has_its_paired_difference():
    """A small lead on every image is certain, though images differ by more than the lead."""
    rng = np.random.default_rng(1)
    n = 20
    targets = rng.uniform(size=(n, 20, 20, 3)).astype(np.float32)
    noise = rng.uniform(size=targets.shape).astype(np.float32)
    share = rng.uniform(0.2, 0.8, n).astype(np.float32)[:, None, None, None]
    better, worse = ((1 - s) * noise + s * targets for s in (share, share - 0.05))
    scored = Rows(
        targets=targets,
        predictions=dict.fromkeys(NAMES, better) | {"ridge": worse},
        vs_train=dict.fromkeys(NAMES, np.zeros((n, 2))),
        stimulus=np.arange(n, dtype=np.int32),
        split=np.full(n, "test"),
        fold=np.full(n, "all"),
    )
    config = EvaluationConfig(perceptual=False)
    scores = scoring.score_run(scored, [str(i) for i in range(n)], 900, config, None)
    test, ridge = scores.test, scores.baselines["ridge"]
    for metric in ("pixel_correlation", "mse"):
        assert test[metric].low < ridge[metric].value < test[metric].high
        gap = scores.differences["ridge"][metric]
        assert gap.value == pytest.approx(test[metric].value - ridge[metric].value)
        assert gap.low * gap.high > 0 and gap.p < 0.01
    # The other predictions are the method's own: what is called blind leads over ridge as well.
    assert scores.significance("pixel_correlation", "ridge") == "blind lead"
    assert scores.without_brain["ridge"]["mse"] in ("mean_image", "shuffled_fmri")
    blind = dict.fromkeys(("mean_image", "shuffled_fmri"), noise)
    scored = dataclasses.replace(scored, predictions=scored.predictions | blind)
    decoded = scoring.score_run(scored, [str(i) for i in range(n)], 900, config, None)
    assert decoded.significance("pixel_correlation", "ridge") == "beaten"
    assert set(decoded.without_brain["ridge"]) == {"detail_error"}  # noise is as rich as noise
    assert scores.differences["shuffled_fmri"]["ssim"] == (0, 0, 0, 1, 1)
    # Trained on hardly more images than are tested, so small a lead is not one of the method.
    few = scoring.score_run(scored, [str(i) for i in range(n)], 25, config, None)
    for metric, gap in few.differences["ridge"].items():
        surer = decoded.differences["ridge"][metric]
        assert gap.high - gap.low == pytest.approx((surer.high - surer.low) * RATIO, rel=1e-6)
        assert gap.adjusted >= surer.adjusted


def test_binary_scores_differ_by_their_pooled_counts(rows):
    black_and_white = np.round(rows.targets[..., :1])
    made = np.clip(black_and_white * 0.8, 0, 1)
    predictions = dict.fromkeys(NAMES, made) | {"ridge": 1 - made, "all_black": 0 * made}
    binary = dataclasses.replace(
        rows,
        targets=black_and_white,
        predictions=predictions,
        vs_train=dict.fromkeys(predictions, np.zeros((len(made), 2))),
    )
    config = EvaluationConfig(perceptual=False, n_bootstrap=50)
    scores = scoring.score_run(binary, tuple("abcdef"), 1, config, None)
    for name in ("ridge", "all_black"):
        gap = scores.differences[name]["f1"].value
        assert gap == pytest.approx(scores.test["f1"].value - scores.baselines[name]["f1"].value)
    assert "precision" not in scores.differences["all_black"]  # undefined


def test_few_stimuli_or_no_resampling_give_no_interval_of_a_difference(rows):
    few = rows.take(np.array([True, True, True, True, False, False, False]))
    config = EvaluationConfig(perceptual=False, n_bootstrap=50)
    scores = scoring.score_run(few, tuple("abcdef"), 1, config, None)
    assert set(scores.to_json()["differences"]["ridge"]["mse"]) == {"value", "p", "adjusted"}
    without = EvaluationConfig(perceptual=False, n_bootstrap=0)
    assert not scoring.score_run(rows, tuple("abcdef"), 1, without, None).differences
