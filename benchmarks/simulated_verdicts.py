"""Verdicts of pages on simulated runs: each function makes one run and says what a page would.

Every verdict is taken from the functions that pages take it from, with their 1,000 permutations.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from benchmarks import simulated_runs as runs
from fmri_jax.data.recording import IMAGERY
from fmri_jax.evaluation.encoding_scores import predicted_voxels
from fmri_jax.evaluation.intervals import mean_interval
from fmri_jax.evaluation.permutation import compare, swaps, together, training_share
from fmri_jax.evaluation.without_mean import identification_without_mean
from fmri_jax.pipeline import chance
from fmri_jax.pipeline.evidence import UNNAMED, Labels
from fmri_jax.pipeline.rows import METHOD, Rows
from fmri_jax.report.comparison import subjects

PERMUTATIONS = 1000  # as in runs
Random = np.random.Generator


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One row of the table.

    Attributes:
        meant: the rate of false positives in per cent; None where nothing is false.
        once: of a generator and a number of images, whether the page says it.
    """

    meant: float | None
    once: Callable[[Random, int], bool]


def _says_above(found: Rows, labels: Labels = UNNAMED) -> bool:
    _, notes = chance.against_chance(found, PERMUTATIONS, labels)
    return any(note.kind == "chance" and note.values["above"] for note in notes)


def above_chance(decoder: runs.Decoder, folds: int, copies: bool = False) -> Verdict:
    """Whether the page says "above chance"."""

    def once(rng: Random, n: int) -> bool:
        return _says_above(runs.run(rng, decoder, n, min(folds, n), copies))

    return Verdict(None if decoder.signal else 5, once)


def of_crops(known: bool) -> Verdict:
    """Whether it says so of crops of n / 5 photographs, whose photographs are `known` or not."""

    def once(rng: Random, n: int) -> bool:
        found, group = runs.crops(rng, n)
        return _says_above(found, Labels(groups=group if known else None))

    return Verdict(5 if known else None, once)


def imagined(rng: Random, n: int) -> bool:
    """Whether imagined images are said to be identified above chance."""
    targets = runs.photographs(rng, n)
    answers = runs.BLIND["noise on the mean image"].answer(rng, runs.photographs(rng, 20), targets)
    found = runs.rows_of(targets, {METHOD: answers}, np.zeros(n), IMAGERY)
    (note,) = chance.imagined(found)
    return bool(note.values["above"])


def _scores(rng: Random, n: int, n_metrics: int, lead: float = 0.0) -> np.ndarray:
    """(n_metrics, n) correlated scores of one method; half of them skewed, as identification is."""
    common = rng.normal(size=n)
    found = 0.8 * common + 0.6 * rng.normal(size=(n_metrics, n)) + lead
    found[::2] = 1 - np.exp(-np.exp(found[::2] / 2))
    return found


def _units(n: int, copies: bool) -> np.ndarray:
    """The unit of each image: itself, or with its near copy."""
    return np.arange(n) // (2 if copies else 1)


def any_lead(copies: bool = False, lead: float = 0.0) -> Verdict:
    """Whether any of 8 scores is called better than any of 4 baselines."""

    def once(rng: Random, n: int) -> bool:
        units = _units(n, copies)
        hard = rng.normal(size=n)  # images that are hard for all
        ours = (_scores(rng, n, 8, lead) + hard)[:, units]
        gaps = {}
        for name in range(4):
            theirs = (_scores(rng, n, 8) + hard)[:, units]
            for m in range(8):
                gaps[name, m] = swaps(ours[m], theirs[m], units, None, PERMUTATIONS)
        return any(gap.value > 0 and gap.adjusted < 0.05 for gap in together(gaps).values())

    return Verdict(None if lead else 2.5, once)


def _measured(targets: np.ndarray, means: np.ndarray, made: np.ndarray) -> dict[str, np.ndarray]:
    """Three scores of each image, higher is better."""
    x, y = (images.reshape(len(images), -1) for images in (targets, made))
    error = np.mean((x - y) ** 2, axis=1)
    x, y = (rows - rows.mean(axis=1, keepdims=True) for rows in (x, y))
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    correlation = np.sum(x * y, axis=1) / np.maximum(lengths, 1e-12)
    identified = identification_without_mean(targets, made, means)
    return {"correlation": correlation, "error": -error, "identification": identified}


def decoder_leads(folds: int, gain: float = 1.0, conditional: bool = False) -> Verdict:
    """Whether one of two ridge decoders is called better, by any of three scores.

    Each is trained on responses with noise of its own, that of the first divided by `gain`. With
    `conditional` no account is taken of the training: no page does.
    """

    def once(rng: Random, n: int) -> bool:
        pair = runs.pair_of_decoders(rng, n, min(folds, n), gain)
        ours, theirs = (_measured(pair.targets, pair.means, made) for made in pair.answers)
        training = 0.0 if conditional else training_share(n, pair.n_trained)
        gaps = {
            m: swaps(ours[m], theirs[m], np.arange(n), None, PERMUTATIONS, training=training)
            for m in ours
        }
        return any(gap.value > 0 and gap.adjusted < 0.05 for gap in together(gaps).values())

    return Verdict(None if gain > 1 or conditional else 2.5, once)


def lead_interval(folds: int) -> Verdict:
    """Whether the interval of one lead of two equal ridge decoders, identification, is above 0."""

    def once(rng: Random, n: int) -> bool:
        pair = runs.pair_of_decoders(rng, n, min(folds, n))
        ours, theirs = (
            identification_without_mean(pair.targets, made, pair.means) for made in pair.answers
        )
        training = training_share(n, pair.n_trained)
        return compare(ours, theirs, np.arange(n), None, 1, training=training).low > 0

    return Verdict(2.5, once)


def above_chance_of_ridge(folds: int) -> Verdict:
    """Whether "above chance" is said of ridge regression that was trained on noise."""

    def once(rng: Random, n: int) -> bool:
        pair = runs.pair_of_decoders(rng, n, min(folds, n), blind=True)
        shuffled = pair.answers[1]
        made = {METHOD: pair.answers[0], "mean_image": pair.means, "shuffled_fmri": shuffled}
        return _says_above(runs.rows_of(pair.targets, made, pair.fold))

    return Verdict(5, once)


def hypothesis(copies: bool = False, lead: float = 0.0) -> Verdict:
    """Whether one expected ordering of two variants "holds"."""

    def once(rng: Random, n: int) -> bool:
        units = _units(n, copies)
        first, second = (_scores(rng, n, 1, more)[0][units] for more in (lead, 0.0))
        gap = compare(first, second, units, None, PERMUTATIONS)
        return bool(gap.value > 0 and gap.p < 0.05)

    return Verdict(None if lead else 2.5, once)


def differs(rng: Random, n: int) -> bool:
    """Whether a row of a comparison's table is said to differ from the first one."""
    first, second = (_scores(rng, n, 1)[0] for _ in range(2))
    return bool(compare(first, second, np.arange(n), None, PERMUTATIONS).p < 0.05)


def over_subjects(n_subjects: int) -> Verdict:
    """Whether a method gets the star of a table over subjects, who differ in which suits them."""

    def once(rng: Random, n: int) -> bool:
        gaps = []
        for own in rng.normal(0, 0.2, (n_subjects, 2)):
            first, second = (_scores(rng, n, 1)[0] + x for x in own)
            gaps.append(compare(first, second, np.arange(n)))
        errors = subjects.errors(gaps, [n] * n_subjects)
        effect = subjects.random_effects([gap.value for gap in gaps], errors)
        return bool(effect.low * effect.high > 0)

    return Verdict(5, once)


def any_voxel(per_unit: int) -> Verdict:
    """Whether any of 50 voxels that hold nothing but noise is called predicted by its encoder.

    Responses and predictions of the images of one unit are alike.
    """

    def once(rng: Random, n: int) -> bool:
        units = np.arange(n) // per_unit
        y, p = (
            rng.normal(size=(n, 50)) + (3 * rng.normal(size=(n, 50))[units] if per_unit > 1 else 0)
            for _ in range(2)
        )
        y, p = y - y.mean(axis=0), p - p.mean(axis=0)
        r = np.sum(y * p, axis=0) / np.sqrt(np.sum(y**2, axis=0) * np.sum(p**2, axis=0))
        return bool(predicted_voxels(r, len(np.unique(units))).any())

    return Verdict(5, once)


def interval(side: str) -> Verdict:
    """Whether a 95 % interval lies wholly above or below the mean of identification-like scores."""

    def once(rng: Random, n: int) -> bool:
        found = mean_interval(rng.beta(2, 1, n), np.arange(n))
        return bool(found.low > 2 / 3 if side == "above" else found.high < 2 / 3)

    return Verdict(2.5, once)
