"""Sentences: baselines that are not beaten and leaks are always named."""

import dataclasses

import numpy as np
import pytest

from fmri_jax.report import metric_names, words, workdir
from fmri_jax.report.scores import Score, parse


def with_scores(run: workdir.Workdir, **content) -> workdir.Workdir:
    """The run with other scores."""
    scores = parse(content, len(run.split), "scores.json")
    return dataclasses.replace(run, scores=scores)


@pytest.mark.parametrize(
    "metric, ours, theirs, verdict",
    [
        ("ssim", (0.30, 0.25, 0.35), 0.20, "beaten"),
        ("ssim", (0.30, 0.25, 0.35), 0.27, "open"),
        ("ssim", (0.30, 0.25, 0.35), 0.30, "not beaten"),
        ("ssim", (0.30, 0.25, 0.35), 0.31, "not beaten"),
        ("lpips", (0.30, 0.25, 0.35), 0.40, "beaten"),
        ("lpips", (0.30, 0.25, 0.35), 0.33, "open"),
        ("lpips", (0.30, 0.25, 0.35), 0.20, "not beaten"),
        ("ssim", (0.30, None, None), 0.29, "open"),
        ("ssim", (0.30, 0.25, 0.35), None, ""),
        ("my_own_score", (0.30, 0.25, 0.35), 0.20, ""),
    ],
)
def test_verdicts(metric, ours, theirs, verdict):
    test = {metric: dict(zip(("value", "low", "high"), ours, strict=True))}
    scores = parse({"test": test, "baselines": {"ridge": {metric: theirs}}}, 1, "scores.json")
    assert scores.verdict(metric, "ridge") == verdict


def test_unbeaten_baseline_is_named(photographs):
    run = with_scores(
        workdir.read(photographs),
        test={
            "ssim": {"value": 0.281, "low": 0.25, "high": 0.31},
            "lpips": {"value": 0.40, "low": 0.38, "high": 0.45},
            "mse": {"value": 0.05, "low": 0.04, "high": 0.06},
        },
        baselines={"mean_image": {"ssim": 0.302, "lpips": 0.44, "mse": 0.09}},
    )
    told = words.remarks(run)
    assert "The mean image is not beaten on SSIM (0.281 against 0.302)." in told
    assert any("not certain, on LPIPS (0.400 against 0.440)" in remark for remark in told)
    assert not any("Every baseline is beaten" in remark for remark in told)
    assert words.summary(run)[-1] == "It clearly beats the mean image on 1 of 3 scores."


def test_all_beaten_is_said_only_then(photographs):
    test = {"ssim": {"value": 0.3, "low": 0.28, "high": 0.31}}
    run = workdir.read(photographs)
    beaten = with_scores(run, test=test, baselines={"ridge": {"ssim": 0.2}})
    assert any("Every baseline is beaten" in remark for remark in words.remarks(beaten))
    silent = with_scores(run, test=test, baselines={"ridge": {"mse": 0.2}})
    assert not any("Every baseline" in remark for remark in words.remarks(silent))


def test_images_shared_by_folds_are_called_known(binary):
    run = workdir.read(binary)
    assert not any("share images" in remark for remark in words.remarks(run))
    by_run = np.array([f"run {i % 3}" for i in range(len(run.split))])
    leaky = dataclasses.replace(run, fold=by_run)
    assert any("Folds share images" in remark for remark in words.remarks(leaky))
    assert "trained without it" not in words.summary(leaky)[0]


def test_test_image_in_training_is_a_leak(photographs):
    run = workdir.read(photographs)
    assert not any("too good" in remark for remark in words.remarks(run))
    stimulus = run.stimulus.copy()
    stimulus[run.rows("train")[:2]] = stimulus[run.rows("test")[:2]]
    told = words.remarks(dataclasses.replace(run, stimulus=stimulus))
    assert any("2 test images also stood in the training set" in remark for remark in told)


def test_printed_values():
    assert metric_names.metric("pixel_correlation").text(-0.1234) == "−0.123"
    assert metric_names.metric("pixel_correlation").text(-0.0001) == "0.000"
    assert metric_names.metric("ssim").in_sentence == "SSIM"
    assert metric_names.metric("alexnet5").in_sentence == "AlexNet(5)"
    assert metric_names.metric("pixel_correlation").in_sentence == "pixel correlation"
    assert metric_names.metric("identification_2way").text(0.9341) == "93.4 %"
    assert metric_names.metric("mse").text(float("nan")) == "–"
    assert metric_names.metric("my_own_score").label == "My own score"
    assert words.joined(["a", "b", "c"]) == "a, b and c"
    assert words.count(1200, "image") == "1,200 images"
    assert not Score(0.5).has_interval


def test_without_an_interval_no_baseline_is_clearly_beaten(photographs):
    """One test image, or no resampling: how certain a lead is is not known."""
    run = with_scores(
        workdir.read(photographs),
        test={"ssim": {"value": 0.3}, "mse": {"value": 0.05, "low": 0.04, "high": 0.06}},
        baselines={"ridge": {"ssim": 0.2, "mse": 0.055}},
    )
    assert words.summary(run)[-1] == "It clearly beats ridge on none of 2 scores."
    told = words.remarks(run)
    assert (
        "Without an interval the lead over ridge is not certain on SSIM (0.300 against 0.200)."
        in (told)
    )
    assert any("not certain, on squared error" in remark for remark in told)


def test_held_out_stimuli_are_in_no_training_set(binary):
    """Several folds may hold out the same stimulus."""
    run = workdir.read(binary)
    drawn = dataclasses.replace(
        run,
        fold=np.array([f"run {i % 3}" for i in range(len(run.split))]),
        config={"preparation": {"validation": 0.2}},
    )
    assert not any("share images" in remark for remark in words.remarks(drawn))
    assert "trained without it" in words.summary(drawn)[0]


def test_numbers_in_place_of_fmri_are_not_called_fmri(binary):
    noise = dataclasses.replace(workdir.read(binary), config={"preparation": {"fmri": "noise"}})
    assert "from random numbers in place of" in words.summary(noise)[0]
