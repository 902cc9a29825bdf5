"""Decoded features of a whole run: scores of each layer with intervals, for `scores.json`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fmri_jax.evaluation.feature_scores import mean_profile
from fmri_jax.evaluation.fold_features import FoldFeatures, LayerScores
from fmri_jax.evaluation.intervals import Score, mean_interval
from fmri_jax.evaluation.registry import Metric

Layers = dict[str, dict[str, Score]]  # layer -> score -> value and interval

# The scores of feature-decoding papers.
SCORES = {
    "identification": Metric(
        "Feature identification",
        "higher",
        "How often decoded features correlate more with the features of their own image than with "
        "those of one other image of the same test set and fold; a tie is no success.",
        percent=True,
        chance=lambda n_stimuli, n_train: 0.5,
    ),
    "pattern": Metric(
        "Pattern correlation",
        "higher",
        "Correlation over the units of a layer, each standardised by the training images, averaged "
        "over images.",
        chance=lambda n_stimuli, n_train: 0.0,
    ),
    "profile": Metric(
        "Profile correlation",
        "higher",
        "Correlation of a unit over images, about its mean in each fold, averaged over up to 500 "
        "units drawn at random; units that never vary are left out.",
        chance=lambda n_stimuli, n_train: 0.0,
    ),
}


@dataclasses.dataclass(frozen=True)
class SetResults:
    """One test set.

    Attributes:
        decoded: layer -> scores of what the method decodes.
        span: layer -> scores of the best prediction in the span of the training features.
        regions: region -> layer -> scores of ridge from the voxels of that region alone.
    """

    decoded: Layers
    span: Layers = dataclasses.field(default_factory=dict)
    regions: dict[str, Layers] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class FeatureResults:
    """Of a run whose method decodes features.

    Attributes:
        sets: test set -> its scores, the main one first.
        recovery: metric -> score of images rendered from true features.
        units: layer -> number of its units, and of those that never vary in training.
    """

    sets: dict[str, SetResults]
    recovery: dict[str, Score] = dataclasses.field(default_factory=dict)
    units: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)

    def to_json(self, plain: Callable[[Mapping[str, Score]], Any]) -> dict[str, Any]:
        """The part `features` of `scores.json`; `plain` makes JSON of scores by name."""

        def layers(found: Layers) -> dict[str, Any]:
            return {layer: plain(scores) for layer, scores in found.items()}

        sets = {
            name: {
                "decoded": layers(found.decoded),
                "span": layers(found.span),
                "regions": {region: layers(of) for region, of in found.regions.items()},
            }
            for name, found in self.sets.items()
        }
        chance = {name: metric.chance(2, 0) for name, metric in SCORES.items() if metric.chance}
        recovery = plain(self.recovery)
        units = {layer: {"units": n, "left_out": out} for layer, (n, out) in self.units.items()}
        return {"sets": sets, "chance": chance, "recovery": recovery, "units": units}


def parse(
    content: Mapping[str, Any], where: str, mapping: Callable[..., Any], scores: Callable[..., Any]
) -> FeatureResults:
    """Checks the part `features` of `scores.json`.

    Args:
        content: that part.
        where: its place, for messages.
        mapping: checks that a value is an object: (value, where, expected).
        scores: reads metric -> score: (value, where).

    Raises:
        InputError: a part has another form.
    """

    def each(values: Any, place: str, read: Callable[[Any, str], Any]) -> dict[str, Any]:
        found = mapping(values or {}, place, "names and what belongs to them")
        return {str(name): read(value, f"{place}.{name}") for name, value in found.items()}

    def layers(values: Any, place: str) -> Layers:
        return each(values, place, scores)

    def one_set(values: Any, place: str) -> SetResults:
        parts = mapping(values, place, "decoded, span and regions")
        return SetResults(
            layers(parts.get("decoded"), f"{place}.decoded"),
            layers(parts.get("span"), f"{place}.span"),
            each(parts.get("regions"), f"{place}.regions", layers),
        )

    def counts(values: Any, place: str) -> tuple[int, int]:
        found = scores(values, place)
        number, left_out = (found.get(name, Score(0)).value for name in ("units", "left_out"))
        return int(number), int(left_out)

    return FeatureResults(
        each(content.get("sets"), f"{where}.sets", one_set),
        scores(content.get("recovery") or {}, f"{where}.recovery"),
        each(content.get("units"), f"{where}.units", counts),
    )


def summarise(
    folds: Sequence[FoldFeatures],
    intervals: bool,
    unit_of: Mapping[int, int] | None = None,
) -> FeatureResults:
    """Scores over all folds, with 95 % intervals over stimuli.

    Args:
        folds: of one run: the same regions, layers and test sets.
        intervals: whether there are to be any.
        unit_of: stimulus -> the unit of dependent stimuli that counts as one; a stimulus that it
            lacks, or each where it is None, is a unit.

    Returns:
        The scores, test sets in the order of the first fold; none yet of recovered images.
    """
    regions = folds[0].regions
    found: dict[str, SetResults] = {}
    units: dict[str, tuple[int, int]] = {}
    for split, first in folds[0].sets.items():
        shown = np.concatenate([fold.stimulus[split] for fold in folds])
        stimulus = _units(shown, unit_of or {})
        by_source: list[Layers] = [{} for _ in range(2 + len(regions))]
        for layer in first:
            parts = [fold.sets[split][layer] for fold in folds]
            joined = _joined(parts)
            number, left_out = np.max([part.units for part in parts], axis=0)
            units[layer] = int(number), int(left_out)
            for source, into in enumerate(by_source):
                into[layer] = _scores(joined, source, stimulus, intervals)
        decoded, span, *others = by_source
        found[split] = SetResults(decoded, span, dict(zip(regions, others, strict=True)))
    return FeatureResults(found, units=units)


def _units(stimulus: np.ndarray, unit_of: Mapping[int, int]) -> np.ndarray:
    """(n,) the unit of each row; stimuli without one get negative numbers."""
    return np.asarray([unit_of.get(shown, -1 - shown) for shown in stimulus.tolist()])


def _joined(parts: Sequence[LayerScores]) -> LayerScores:
    """One layer of several folds as one, row after row.

    Values of units are taken about their means in each fold. The training mean of a fold lacks what
    it leaves out: over the images of all folds, predictions would run against the truth.
    """
    axes = {"true": 0, "pattern": 1, "identification": 1, "decoded": 1}
    arrays = {name: [getattr(part, name) for part in parts] for name in axes}
    for name in ("true", "decoded"):
        arrays[name] = [
            a - a.mean(axis=axes[name], dtype=np.float64, keepdims=True) for a in arrays[name]
        ]
    joined = {name: np.concatenate(arrays[name], axis=axis) for name, axis in axes.items()}
    return LayerScores(units=parts[0].units, **joined)


def _scores(
    layer: LayerScores, source: int, stimulus: np.ndarray, intervals: bool
) -> dict[str, Score]:
    """The scores of one source; those that are not defined for these images are left out.

    Profile correlations of regions have no interval, which takes longer than all others.
    """
    found = {}
    for name in ("identification", "pattern"):
        values = getattr(layer, name)[source]
        known = np.isfinite(values)  # rows of folds that test a single image are not identified
        if known.any():
            score = mean_interval(values[known], stimulus[known])
            found[name] = score if intervals else Score(score.value)
    with_interval = intervals and source < 2
    found["profile"] = mean_profile(layer.true, layer.decoded[source], stimulus, with_interval)
    return {
        name: score.within((0 if name == "identification" else -1, 1))
        for name, score in found.items()
        if np.isfinite(score.value)
    }
