"""From the rows of a run to its results: every test set, every baseline, with intervals."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.evaluation import baselines
from fmri_jax.evaluation.eight_numbers import COMPARISONS, NUMBERS, eight_numbers
from fmri_jax.evaluation.perceptual import PerceptualWeights
from fmri_jax.evaluation.permutation import Difference, compare
from fmri_jax.evaluation.registry import METRICS
from fmri_jax.evaluation.results import ImageScores, Results, Scores
from fmri_jax.evaluation.scores import (
    EvaluationConfig,
    PerImage,
    chance,
    other_networks,
    score_images,
    summarise,
)
from fmri_jax.pipeline.rows import METHOD, Rows


def score_run(
    rows: Rows,
    stimulus_names: Sequence[str],
    n_train: np.ndarray,
    config: EvaluationConfig,
    weights: PerceptualWeights | None,
) -> Results:
    """Scores all rows of a run.

    Args:
        rows: of all folds.
        stimulus_names: one name per image of the recording.
        n_train: (rows of the main test set,) training images that are not the row's own.
        config: what is scored.
        weights: AlexNet, LPIPS heads and other networks, for the perceptual metrics.

    Returns:
        The results, without notes and diagnostics.
    """
    sets: dict[str, Scores] = {}
    results: dict[str, PerImage] = {}
    per_image: list[ImageScores] = []
    for split in rows.test_sets():
        index = np.flatnonzero(rows.split == split)
        part = rows.take(index)
        results[split] = _per_image(part, METHOD, config, weights)
        sets[split] = _with_intervals(results[split], part, config)
        per_image += _by_image(index, part, results[split], stimulus_names)
    test, ours = rows.main_test_set(), results[rows.test_sets()[0]]
    weaker = {
        name: _per_image(test, name, config, weights)
        for name in baselines.ordered(set(test.predictions) - {METHOD})
    }
    numbers, missing = _eight_numbers(test, config) if config.eight_numbers else ({}, {})
    return Results(
        sets=sets,
        baselines={
            name: summarise(result, test.stimulus, n_bootstrap=0) for name, result in weaker.items()
        },
        differences={
            name: _differences(ours, result, test, config)
            for name, result in weaker.items()
            if config.n_bootstrap
        },
        chance=chance(len(np.unique(test.stimulus)), n_train),
        per_image=tuple(sorted(per_image, key=lambda entry: entry.index)),
        eight_numbers=numbers,
        not_computed=missing,
    )


def perceptual_weights(config: EvaluationConfig) -> PerceptualWeights | None:
    """AlexNet and the LPIPS heads, downloaded once, and other networks that are installed.

    None where no metric through networks is scored.
    """
    if not config.perceptual:
        return None
    heads = pretrained.load("lpips_alexnet")
    return PerceptualWeights(pretrained.load("alexnet"), heads, other_networks(config))


def _with_intervals(result: PerImage, rows: Rows, config: EvaluationConfig) -> Scores:
    return summarise(result, rows.stimulus, config.n_bootstrap, config.seed)


def _eight_numbers(test: Rows, config: EvaluationConfig) -> tuple[Scores, dict[str, str]]:
    """The row of NSD papers on the main test set, and why a number of it is missing."""
    files = {
        "alexnet": None,
        "inception_v3": config.inception_weights,
        "clip_vit_l14": config.clip_weights,
        "efficientnet_b1": config.efficientnet_weights,
        "swav_resnet50": config.swav_weights,
    }
    networks: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name, file in files.items():
        try:
            networks[name] = pretrained.load(name, file)
        except InputError as error:
            missing |= {number: str(error) for number in COMPARISONS[name].numbers}
    values = eight_numbers(test.targets, test.reconstructions, networks)
    alone = "identification needs two different test images; score more stimuli."
    missing |= {number: alone for number in NUMBERS if number not in {*values, *missing}}
    return _with_intervals(PerImage(values), test, config), missing


def _per_image(
    rows: Rows, prediction: str, config: EvaluationConfig, weights: PerceptualWeights | None
) -> PerImage:
    """Scores one prediction; identification among training images was counted fold by fold."""
    is_test = (rows.split != "train").all()
    known = rows.vs_train.get(prediction) if is_test else None
    means = rows.predictions.get("mean_image") if is_test else None
    images = rows.predictions[prediction]
    return score_images(rows.targets, images, None, weights, config, known, means)


def _differences(
    ours: PerImage, theirs: PerImage, rows: Rows, config: EvaluationConfig
) -> dict[str, Difference]:
    """How far the run scores above a baseline, paired: hard images are hard for both."""
    paired = functools.partial(
        compare, stimulus=rows.stimulus, n_resamples=config.n_bootstrap, seed=config.seed
    )
    found = {
        metric: paired(values, theirs.values[metric])
        for metric, values in ours.values.items()
        if metric in theirs.values
    }
    for metric, sums in ours.columns.items():
        statistic = METRICS[metric].statistic
        found[metric] = paired(sums, theirs.columns[metric], statistic=statistic)
    return {metric: gap for metric, gap in found.items() if np.isfinite(gap.value)}


def _by_image(
    index: np.ndarray, rows: Rows, result: PerImage, stimulus_names: Sequence[str]
) -> list[ImageScores]:
    """The scores of each row, for tables and for tests between runs."""
    return [
        ImageScores(
            index=int(row),
            scores={name: round(float(values[i]), 6) for name, values in result.values.items()},
            stimulus=int(rows.stimulus[i]),
            stimulus_name=stimulus_names[rows.stimulus[i]],
            split=str(rows.split[i]),
            fold=str(rows.fold[i]),
        )
        for i, row in enumerate(index)
    ]
