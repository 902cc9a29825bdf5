"""From the rows of a run to its results: every test set, every baseline, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.evaluation import baselines
from fmri_jax.evaluation.eight_numbers import COMPARISONS, NUMBERS, eight_numbers
from fmri_jax.evaluation.perceptual import PerceptualWeights
from fmri_jax.evaluation.permutation import Difference, Swaps, swaps, together, training_share
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
from fmri_jax.evaluation.seen_features import SeenFeatures
from fmri_jax.pipeline.evidence import UNNAMED, Labels, units
from fmri_jax.pipeline.rows import METHOD, Rows
from fmri_jax.pipeline.shared_results import UNSHARED, SharedResults


def score_run(
    rows: Rows,
    stimulus_names: Sequence[str],
    n_train: np.ndarray,
    config: EvaluationConfig,
    weights: PerceptualWeights | None,
    labels: Labels = UNNAMED,
    shared: SharedResults = UNSHARED,
) -> Results:
    """Scores all rows of a run.

    Args:
        rows: of all folds.
        stimulus_names: one name per image of the recording.
        n_train: (rows of the main test set,) training images that are not the row's own.
        config: what is scored.
        weights: AlexNet, LPIPS heads and other networks, for the perceptual metrics.
        labels: groups and categories of the images of the recording.
        shared: what other runs with these weights have scored, as they mostly have the baselines.

    Returns:
        The results, without notes and diagnostics.
    """
    sets: dict[str, Scores] = {}
    results: dict[str, PerImage] = {}
    per_image: list[ImageScores] = []
    for split in rows.test_sets():
        index = np.flatnonzero(rows.split == split)
        part = rows.take(index)
        unit = units(part, labels)
        results[split] = _per_image(part, METHOD, config, weights, labels, UNSHARED)
        sets[split] = summarise(results[split], unit, config.n_bootstrap > 0)
        per_image += _by_image(index, part, results[split], stimulus_names, unit)
    test, ours = rows.main_test_set(), results[rows.test_sets()[0]]
    weaker = {
        name: _per_image(test, name, config, weights, labels, shared)
        for name in baselines.ordered(set(test.predictions) - {METHOD})
    }
    unit = units(test, labels)
    stimuli = len(np.unique(test.stimulus))
    training = training_share(stimuli, float(np.mean(n_train)))
    numbers, missing = _eight_numbers(test, unit, config) if config.eight_numbers else ({}, {})
    return Results(
        sets=sets,
        baselines={
            name: summarise(result, test.stimulus, False) for name, result in weaker.items()
        },
        differences=_differences(ours, weaker, unit, config, training)
        if config.n_bootstrap
        else {},
        without_brain=_without_brain(weaker, unit, config),
        chance=chance(stimuli, n_train),
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
    alexnet, others = pretrained.load("alexnet"), other_networks(config)
    return PerceptualWeights(alexnet, heads, others, SeenFeatures())


def _eight_numbers(
    test: Rows, units: np.ndarray, config: EvaluationConfig
) -> tuple[Scores, dict[str, str]]:
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
    return summarise(PerImage(values), units, config.n_bootstrap > 0), missing


def _per_image(
    rows: Rows,
    prediction: str,
    config: EvaluationConfig,
    weights: PerceptualWeights | None,
    labels: Labels,
    shared: SharedResults,
) -> PerImage:
    """Scores one prediction; identification among training images was counted fold by fold."""
    is_test = (rows.split != "train").all()
    known = rows.vs_train.get(prediction) if is_test else None
    means = rows.predictions.get("mean_image") if is_test else None
    images = rows.predictions[prediction]
    category = labels.categories
    categories = category[rows.stimulus] if is_test and category is not None else None
    return shared.once(
        ("scores", config, weights is None),
        lambda: score_images(rows.targets, images, None, weights, config, known, means, categories),
        *(rows.targets, images, known, means, categories),
    )


def _differences(
    ours: PerImage,
    weaker: Mapping[str, PerImage],
    units: np.ndarray,
    config: EvaluationConfig,
    training: float,
) -> dict[str, dict[str, Difference]]:
    """How far the run scores above each baseline, paired: hard images are hard for both.

    All metrics and baselines are one family: whatever the page calls beaten is so by a p over all.
    They hold for other training data, too: differences vary with these by `training`.
    """
    made = {
        (name, metric): gap
        for name, theirs in weaker.items()
        for metric in [*ours.values, *ours.columns]
        if (gap := _gap(ours, theirs, metric, units, config, training)) is not None
    }
    found: dict[str, dict[str, Difference]] = {name: {} for name in weaker}
    for (name, metric), difference in together(made).items():
        if np.isfinite(difference.value):
            found[name][metric] = difference
    return found


def _gap(
    ours: PerImage,
    theirs: PerImage,
    metric: str,
    units: np.ndarray,
    config: EvaluationConfig,
    training: float = 0.0,
) -> Swaps | None:
    """One metric of two predictions, paired; None where one of them lacks it."""
    pair = [result.values.get(metric, result.columns.get(metric)) for result in (ours, theirs)]
    if pair[0] is None or pair[1] is None:
        return None
    statistic = METRICS[metric].statistic
    return swaps(pair[0], pair[1], units, statistic, config.n_bootstrap, config.seed, training)


def _without_brain(
    weaker: Mapping[str, PerImage], units: np.ndarray, config: EvaluationConfig
) -> dict[str, dict[str, str]]:
    """Baseline -> metric -> the blind baseline that leads over it with p < .05, one-sided."""
    found: dict[str, dict[str, str]] = {}
    for name, theirs in weaker.items():
        for blind, result in weaker.items():
            if not (config.n_bootstrap and baselines.questions(blind, name)):
                continue
            for metric in [*result.values, *result.columns]:
                gap = _gap(result, theirs, metric, units, config)
                if gap is not None and _clearly_better(metric, gap.difference):
                    found.setdefault(name, {}).setdefault(metric, blind)
    return found


def _clearly_better(metric: str, gap: Difference) -> bool:
    """Whether a score is better than another with p < .05, one-sided."""
    return METRICS[metric].is_better(gap.value, 0.0) and gap.p < 0.10


def _by_image(
    index: np.ndarray,
    rows: Rows,
    result: PerImage,
    stimulus_names: Sequence[str],
    units: np.ndarray,
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
            unit=int(units[i]),
        )
        for i, row in enumerate(index)
    ]
