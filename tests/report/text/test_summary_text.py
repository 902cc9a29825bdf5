"""Sentences: baselines that are not beaten and leaks are always named."""

import dataclasses

import numpy as np
import pytest

from fmri_jax.evaluation import registry
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.results import parse
from fmri_jax.report.io import workdir
from fmri_jax.report.text import summary_text, text_format


def with_scores(run: workdir.Workdir, **content) -> workdir.Workdir:
    """The run with other scores."""
    scores = parse(content, len(run.split), "scores.json")
    return dataclasses.replace(run, scores=scores)


def texts(run: workdir.Workdir) -> list[str]:
    """What is shown beside the scores."""
    return [text for text, _ in summary_text.remarks(run)]


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
    assert scores.significance(metric, "ridge") == verdict


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
    told = texts(run)
    assert (
        "The mean image, 3 scores: not beaten on 1 (SSIM); lead not certain on 1 (LPIPS), where it "
        "lies inside the 95 % interval of this run." in told
    )
    assert not any("Every baseline is beaten" in remark for remark in told)
    assert summary_text.summary(run)[-1] == "It clearly beats the mean image on 1 of 3 scores."


def test_all_beaten_is_said_only_then(photographs):
    test = {"ssim": {"value": 0.3, "low": 0.28, "high": 0.31}}
    run = workdir.read(photographs)
    beaten = with_scores(run, test=test, baselines={"ridge": {"ssim": 0.2}})
    assert any("Every baseline is beaten" in remark for remark in texts(beaten))
    silent = with_scores(run, test=test, baselines={"ridge": {"mse": 0.2}})
    assert not any("Every baseline" in remark for remark in texts(silent))


def test_images_shared_by_folds_are_called_known(binary):
    run = workdir.read(binary)
    assert not any("share images" in remark for remark in texts(run))
    by_run = np.array([f"run {i % 3}" for i in range(len(run.split))])
    leaky = dataclasses.replace(run, fold=by_run)
    assert any("Folds share images" in remark for remark in texts(leaky))
    assert "trained without it" not in summary_text.summary(leaky)[0]


def test_test_image_in_training_is_a_leak(photographs):
    run = workdir.read(photographs)
    assert not any("too good" in remark for remark in texts(run))
    stimulus = run.stimulus.copy()
    stimulus[run.rows("train")[:2]] = stimulus[run.rows("test")[:2]]
    told = texts(dataclasses.replace(run, stimulus=stimulus))
    assert any("2 test images also stood in the training set" in remark for remark in told)


def test_printed_values():
    assert registry.metric("pixel_correlation").text(-0.1234) == "−0.123"
    assert registry.metric("pixel_correlation").text(-0.0001) == "0.000"
    assert registry.metric("ssim").in_sentence == "SSIM"
    assert registry.metric("alexnet5").in_sentence == "AlexNet(5)"
    assert registry.metric("pixel_correlation").in_sentence == "pixel correlation"
    assert registry.metric("identification_2way").text(0.9341) == "93.4 %"
    assert registry.metric("mse").text(float("nan")) == "–"
    assert registry.metric("my_own_score").label == "My own score"
    assert text_format.joined(["a", "b", "c"]) == "a, b and c"
    names = ["a", "photograph 001", "photograph 002", "a_long_beginning_1", "a_long_b-ginning_1"]
    assert text_format.shortened(names, 11) == ["a", "pho…aph 001", "pho…aph 002", *names[3:]]
    assert text_format.count(1200, "image") == "1,200 images"
    assert not Score(0.5).has_interval


def test_without_an_interval_no_baseline_is_clearly_beaten(photographs):
    """One test image, or no resampling: how certain a lead is is not known."""
    run = with_scores(
        workdir.read(photographs),
        test={"ssim": {"value": 0.3}, "mse": {"value": 0.05, "low": 0.04, "high": 0.06}},
        baselines={"ridge": {"ssim": 0.2, "mse": 0.055}},
    )
    assert summary_text.summary(run)[-1] == "It clearly beats ridge on none of 2 scores."
    told = texts(run)
    assert any("not certain on 1 (SSIM), where there is no interval" in remark for remark in told)
    assert any("not certain on 1 (squared error), where it lies" in remark for remark in told)


def test_where_no_baseline_is_beaten_one_sentence_stands_for_all_open_leads(photographs):
    """Of few images: only what the run is behind in is listed."""
    run = with_scores(
        workdir.read(photographs),
        test={"ssim": {"value": 0.3}, "mse": {"value": 0.05}},
        baselines={"ridge": {"ssim": 0.4, "mse": 0.055}, "mean_image": {"ssim": 0.1, "mse": 0.06}},
    )
    assert summary_text.summary(run)[-1] == "It clearly beats no baseline on any score."
    assert texts(run)[-2:] == [
        "No lead over a baseline is certain on any score.",
        "Ridge, 2 scores: not beaten on 1 (SSIM).",
    ]


def test_held_out_stimuli_are_in_no_training_set(binary):
    """Several folds may hold out the same stimulus."""
    run = workdir.read(binary)
    drawn = dataclasses.replace(
        run,
        fold=np.array([f"run {i % 3}" for i in range(len(run.split))]),
        config={"preparation": {"validation": 0.2}},
    )
    assert not any("share images" in remark for remark in texts(drawn))
    assert "trained without it" in summary_text.summary(drawn)[0]


def test_numbers_in_place_of_fmri_are_not_called_fmri(binary):
    noise = dataclasses.replace(workdir.read(binary), config={"preparation": {"fmri": "noise"}})
    assert "from random numbers in place of" in summary_text.summary(noise)[0]


def beside(run, baseline, **differences):
    """The run's verdict on SSIM and LPIPS, .02 better in both, with differences as given."""
    scored = with_scores(
        run,
        test={m: {"value": v, "low": v - 0.1, "high": v + 0.1} for m, v in OURS.items()},
        baselines={baseline: {"ssim": 0.28, "lpips": 0.42}},
        differences={baseline: differences},
    )
    return scored, [scored.scores.significance(metric, baseline) for metric in OURS]


OURS = {"ssim": 0.30, "lpips": 0.40}


def test_a_verdict_rests_on_the_interval_of_the_paired_difference(photographs):
    """The run's own interval holds the baseline, but on each image the baseline is the worse."""
    run = workdir.read(photographs)
    up = {"value": 0.02, "low": 0.01, "high": 0.03, "p": 0.001}
    down = {"value": -0.02, "low": -0.03, "high": -0.01, "p": 0.001}
    surely, verdicts = beside(run, "ridge", ssim=up, lpips=down)
    assert verdicts == ["beaten", "beaten"]
    assert texts(surely)[-1].startswith("Every baseline is beaten on every score: no 95 %")
    unsure, verdicts = beside(run, "ridge", ssim=up | {"low": -0.01}, lpips=down | {"high": 0.01})
    assert verdicts == ["open", "open"]
    assert texts(unsure)[-1] == (
        "Ridge, 2 scores: lead not certain on 2 (SSIM, LPIPS), where the 95 % interval of the "
        "paired difference holds 0."
    )
    few, verdicts = beside(run, "ridge", ssim={"value": 0.02, "p": 0.25})
    assert verdicts == ["open", "open"]
    assert texts(few)[-1].endswith(
        "(LPIPS), where it lies inside the 95 % interval of this run; lead not certain on 1 "
        "(SSIM), where there is no interval."
    )


def test_shuffled_fmri_comes_first(photographs):
    test = {"ssim": {"value": 0.3, "low": 0.28, "high": 0.31}}
    weaker = {"ridge": {"ssim": 0.2}, "mean_image": {"ssim": 0.29}, "shuffled_fmri": {"ssim": 0.3}}
    run = with_scores(workdir.read(photographs), test=test, baselines=weaker)
    assert summary_text.summary(run)[-1] == (
        "It clearly beats shuffled fMRI on none of 1 score, ridge on 1 of 1 score and the mean "
        "image on none of 1 score."
    )
    assert [remark.split(",")[0] for remark in texts(run)[-2:]] == [
        "Shuffled fMRI",
        "The mean image",
    ]


@pytest.mark.parametrize(
    ("baseline", "value", "below"),
    [
        ("mean_image", 0.38, True),
        ("mean_image", 0.499, False),
        ("shuffled_fmri", 0.47, False),  # by luck: 12 images
        ("shuffled_fmri", 0.30, True),
    ],
)
def test_a_baseline_below_chance_is_no_victory(photographs, baseline, value, below):
    metric = "identification_2way"
    test = {metric: {"value": 0.9, "low": 0.8, "high": 0.95}}
    run = with_scores(workdir.read(photographs), test=test, baselines={baseline: {metric: value}})
    said = summary_text.summary(run)[-1]
    assert ("is itself below chance in identification" in said) is below
    assert ("clearly beats" in said) is not below


def test_warnings_come_before_other_notes(photographs):
    leak = Note("shared_images", "warning", "Known images.", {"images": 3})
    ceiling = Note("noise_ceiling", "info", "Noise ceiling: 40 %.", {"explainable": 0.4})
    run = workdir.read(photographs)
    scores = dataclasses.replace(run.scores, notes=(ceiling, leak))
    shown = summary_text.remarks(dataclasses.replace(run, scores=scores))
    assert shown[0] == (leak.text, True) and "simulated" in shown[1][0]
    assert shown[2] == (ceiling.text, False)
    assert [warning for _, warning in shown] == [True, True] + [False] * (len(shown) - 2)
