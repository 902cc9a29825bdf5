"""`scores.json`: one tree of dataclasses for whoever writes it and whoever reads it.

Version 2. Test sets stand under `sets`, so that their names collide with nothing; files of version
1, which had them beside everything else and notes without a kind, are read by `results_v1`.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import numpy as np

from fmri_jax.data.recording import ordered_sets
from fmri_jax.errors import InputError
from fmri_jax.evaluation import feature_results, registry
from fmri_jax.evaluation.baselines import ordered
from fmri_jax.evaluation.feature_results import FeatureResults
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.permutation import Difference

VERSION = 2

Scores = dict[str, Score]  # metric -> score
Significance = Literal["beaten", "blind lead", "open", "not beaten", ""]
Evidence = Literal["together", "difference", "interval", ""]
T = TypeVar("T")

UNEVEN = 0.02  # a blind level of pairwise identification further than this from 1/2 is odd
_RAW_IDENTIFICATION = ("identification_2way", "identification_10way")


@dataclasses.dataclass(frozen=True)
class ImageScores:
    """The scores of one row of `reconstructions.npz`.

    Attributes:
        index: the row.
        scores: metric -> value.
        stimulus: which image of the recording it is.
        stimulus_name: its name; '' if it has none.
        split: the row's test set, or 'train'.
        fold: the cross-validation fold.
        unit: the number of the independent unit that is resampled as a whole, the stimulus alone
            or a group of dependent ones; -1 where an earlier version wrote the file.
    """

    index: int
    scores: dict[str, float]
    stimulus: int = -1
    stimulus_name: str = ""
    split: str = ""
    fold: str = ""
    unit: int = -1


@dataclasses.dataclass(frozen=True)
class Results:
    """The content of `scores.json`.

    Attributes:
        sets: test set -> metric -> score: the main test set first, others, 'train' last.
        baselines: baseline -> metric -> score on the main test set.
        differences: baseline -> metric -> this run minus the baseline, paired over the stimuli of
            the main test set; fewer than five stimuli give no interval.
        without_brain: baseline -> metric -> the blind baseline that clearly leads over it, too: a
            lead of this run is then no decoding.
        chance: metric -> score of a guess.
        per_image: one entry per scored row of `reconstructions.npz`.
        notes: what a reader must know before believing the scores.
        diagnostics: the numbers that the notes rest on.
        eight_numbers: number -> score, the row of NSD papers; empty where it was not asked for.
        not_computed: number -> why it is missing from that row.
        features: scores of decoded features; None where the method decodes none.
    """

    sets: dict[str, Scores]
    baselines: dict[str, Scores] = dataclasses.field(default_factory=dict)
    differences: dict[str, dict[str, Difference]] = dataclasses.field(default_factory=dict)
    without_brain: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    chance: dict[str, float] = dataclasses.field(default_factory=dict)
    per_image: tuple[ImageScores, ...] = ()
    notes: tuple[Note, ...] = ()
    diagnostics: dict[str, float] = dataclasses.field(default_factory=dict)
    eight_numbers: Scores = dataclasses.field(default_factory=dict)
    not_computed: dict[str, str] = dataclasses.field(default_factory=dict)
    features: FeatureResults | None = None

    @property
    def test(self) -> Scores:
        """The scores of the main test set."""
        return next(iter(self.sets.values()))

    def of(self, split: str) -> Scores:
        """The scores of one set; 'test' is the main test set, whatever its name."""
        return self.test if split == "test" else self.sets.get(split, {})

    @property
    def has_intervals(self) -> bool:
        """Whether any score of the main test set has an interval."""
        return any(score.has_interval for score in self.test.values())

    @property
    def metrics(self) -> list[str]:
        """Every metric of the main test set, in the order of the field's tables."""
        return registry.ordered(set(self.test))

    @functools.cached_property
    def by_row(self) -> dict[int, ImageScores]:
        """Row of `reconstructions.npz` -> its scores."""
        return {entry.index: entry for entry in self.per_image}

    def column(self, metric: str, n_rows: int) -> np.ndarray:
        """One metric for each row of `reconstructions.npz`, (n_rows,), NaN where not scored."""
        values = np.full(n_rows, np.nan)
        for row in self.per_image:
            values[row.index] = row.scores.get(metric, math.nan)
        return values

    @property
    def identification(self) -> str:
        """The pairwise score to read: without the mean where the raw one has an odd blind level."""
        odd = self._raw_is_odd and "identification_centred" in self.test
        return "identification_centred" if odd else "identification_2way"

    @property
    def _raw_is_odd(self) -> bool:
        """Whether a decoder without information identifies otherwise than in half of all pairs."""
        level = self.diagnostics.get("identification_2way_blind", 0.5)
        return abs(level - 0.5) > UNEVEN

    @property
    def training_images(self) -> float:
        """Training images of a fold that are not the tested one; 0 where they are not known."""
        least = self.chance.get("identification_vs_train", 0.0)
        return 1 / least - 1 if least > 0 else 0.0

    def units(self, stimulus: np.ndarray) -> np.ndarray:
        """The independent unit of each row of `reconstructions.npz`, whose stimuli these are."""
        found = np.asarray(stimulus).copy()
        for row in self.per_image:
            if row.unit >= 0:
                found[row.index] = row.unit
        return found

    def significance(self, metric: str, baseline: str) -> Significance:
        """Whether the method beats a baseline on one metric of the main test set.

        'beaten' means that the method is better and p, over all comparisons of the run together, is
        below .05. Where an earlier version stored no such p: that the 95 % interval of the paired
        difference is on the better side; where no difference was stored, that the method's own
        interval leaves out the baseline's value. 'blind lead' means that it is beaten, but by what
        needs no brain, as well. 'open' means that the method's value is the better one, but not as
        certainly. '' means that the two cannot be compared: raw identification cannot where
        images are left out, as each decoder's own answer without information decides it.
        """
        name = registry.metric(metric)
        if self._raw_is_odd and metric in _RAW_IDENTIFICATION:
            return ""
        ours = self.test[metric]
        theirs = self.baselines[baseline].get(metric, Score(math.nan)).value
        if not (name.better and math.isfinite(ours.value) and math.isfinite(theirs)):
            return ""
        if not name.is_better(ours.value, theirs):
            return "not beaten"
        evidence = self.evidence(metric, baseline)
        if evidence == "together":
            clear = self.differences[baseline][metric].adjusted < 0.05
        elif evidence == "difference":
            ends = self.differences[baseline][metric][1:3]
            clear = all(name.is_better(end, 0.0) for end in ends)
        else:
            clear = evidence == "interval" and not ours.low <= theirs <= ours.high
        if clear and metric in self.without_brain.get(baseline, {}):
            return "blind lead"
        return "beaten" if clear else "open"

    def evidence(self, metric: str, baseline: str) -> Evidence:
        """What the significance rests on: p of all comparisons together, or an earlier measure.

        That is the interval of the difference, or that of the run's own score. A baseline was made
        for the same images: on images that are hard for both the difference is surer than either
        score. '' means that there is no interval.
        """
        found = self.differences.get(baseline, {}).get(metric)
        if found is not None and math.isfinite(found.adjusted):
            return "together"
        if found is not None:
            return "difference" if math.isfinite(found.low) else ""
        return "interval" if self.test[metric].has_interval else ""

    def to_json(self) -> dict[str, Any]:
        """The content of `scores.json`; numbers that are not finite are left out."""
        content: dict[str, Any] = {
            "version": VERSION,
            "sets": {name: _plain(scores) for name, scores in self.sets.items()},
            "baselines": {name: _plain(scores) for name, scores in self.baselines.items()},
            "differences": {name: _plain(found) for name, found in self.differences.items()},
            "without_brain": self.without_brain,
            "chance": self.chance,
            "per_image": [dataclasses.asdict(row) for row in self.per_image],
            "notes": [dataclasses.asdict(note) for note in self.notes],
            "diagnostics": self.diagnostics,
        }
        if self.eight_numbers or self.not_computed:
            row = {"values": _plain(self.eight_numbers), "not_computed": self.not_computed}
            content["eight_numbers"] = row
        if self.features:
            content["features"] = self.features.to_json(_plain)
        return content


def parse(content: Any, n_rows: int, where: str, main: str = "test") -> Results:
    """Checks the content of `scores.json`, of this version or an earlier one.

    Args:
        content: the decoded JSON.
        n_rows: the number of rows of `reconstructions.npz`.
        where: the file's path, for messages.
        main: the name of the main test set.

    Raises:
        InputError: a part is missing or has another form, or a later version wrote the file.
    """
    content = _mapping(content, where, "test sets, baselines and per_image")
    version = content.get("version")
    version = version if isinstance(version, int) else 1  # where it may be a test set's name
    if version not in (1, VERSION):
        raise InputError(
            f"{where} has version {version!r}: this version of fmri_jax reads versions 1 to "
            f"{VERSION}; update it, or score the run again."
        )
    if version == 1:
        from fmri_jax.evaluation import results_v1

        content = results_v1.upgraded(content)
    row = _mapping(content.get("eight_numbers") or {}, f"{where}: eight_numbers", "values")
    baselines = _each(content, "baselines", where, _scores)
    features = content.get("features")
    return Results(
        sets=_sets(content, where, main),
        baselines={name: baselines[name] for name in ordered(baselines)},
        differences=_each(content, "differences", where, _differences),
        without_brain=_each(content, "without_brain", where, _texts),
        chance=_each(content, "chance", where, _number),
        per_image=_per_image(content.get("per_image") or [], n_rows, where),
        notes=_notes(content.get("notes") or [], where),
        diagnostics=_each(content, "diagnostics", where, _number),
        eight_numbers=_scores(row.get("values") or {}, f"{where}: eight_numbers"),
        not_computed=_each(row, "not_computed", f"{where}: eight_numbers", lambda x, _: str(x)),
        features=feature_results.parse(features, f"{where}: features", _mapping, _scores)
        if features
        else None,
    )


def _plain(values: Mapping[str, Score] | Mapping[str, Difference]) -> dict[str, dict[str, float]]:
    """Metric -> the finite numbers of a score or difference by name."""
    return {
        metric: {key: x for key, x in value._asdict().items() if math.isfinite(x)}
        for metric, value in values.items()
        if math.isfinite(value.value)
    }


def _each(
    content: Mapping[str, Any], part: str, where: str, read: Callable[[Any, str], T]
) -> dict[str, T]:
    """An object of the file, each of its values as `read` returns it."""
    found = _mapping(content.get(part) or {}, f"{where}: {part}", "names and what belongs to them")
    return {str(name): read(value, f"{where}: {part}.{name}") for name, value in found.items()}


def _sets(content: Mapping[str, Any], where: str, main: str) -> dict[str, Scores]:
    """The scores of every test set, the main one first, and of the training images, last."""
    found = _each(content, "sets", where, _scores)
    if not found.get(main):
        raise InputError(
            f"{where} has no scores under {main!r}: expected "
            f'{{"{main}": {{metric: {{"value", "low", "high"}}}}, ...}}; score the run again.'
        )
    others = ordered_sets(sorted(set(found) - {main, "train"}))
    return {name: found[name] for name in [main, *others, "train"] if found.get(name)}


def _scores(values: Any, where: str) -> Scores:
    """Metric -> score, from numbers or from {"value", "low", "high"}."""
    scores = {}
    for metric, entry in _mapping(values, where, "metric -> score").items():
        place = f"{where}.{metric}"
        if not isinstance(entry, Mapping):
            scores[metric] = Score(_number(entry, place))
        elif "value" not in entry:
            raise InputError(f"{place} has the keys {sorted(entry)}: expected value, low and high.")
        else:
            scores[metric] = Score(*(_number(entry.get(key), place) for key in Score._fields))
    return scores


def _differences(values: Any, where: str) -> dict[str, Difference]:
    """Metric -> paired difference, from {"value", "low", "high", "p"}."""
    found = {}
    for metric, entry in _mapping(values, where, "metric -> difference").items():
        place = f"{where}.{metric}"
        entry = _mapping(entry, place, "value, low, high and p")
        found[metric] = Difference(*(_number(entry.get(key), place) for key in Difference._fields))
    return found


def _texts(values: Any, where: str) -> dict[str, str]:
    """Name -> text."""
    return {str(k): str(text) for k, text in _mapping(values, where, "names and texts").items()}


def _per_image(rows: Any, n_rows: int, where: str) -> tuple[ImageScores, ...]:
    """The entries of `per_image`, each with an index that exists."""
    found = []
    for i, row in enumerate(rows):
        place = f"{where}: per_image[{i}]"
        index = row.get("index") if isinstance(row, Mapping) else None
        if not isinstance(index, int) or not 0 <= index < n_rows:
            raise InputError(
                f"{place} has index {index!r}: expected a row of reconstructions.npz, 0 to "
                f"{n_rows - 1}."
            )
        scores = _mapping(row.get("scores") or {}, f"{place}.scores", "metric -> number")
        numbers = {metric: _number(value, place) for metric, value in scores.items()}
        texts = {key: str(row.get(key) or "") for key in ("stimulus_name", "split", "fold")}
        stimulus, unit = (
            n if isinstance(n := row.get(k), int) and abs(n) < 2**31 else -1
            for k in ("stimulus", "unit")
        )
        found.append(ImageScores(index, numbers, stimulus, **texts, unit=unit))
    return tuple(found)


def _notes(notes: Any, where: str) -> tuple[Note, ...]:
    """The typed notes of the file."""
    found = []
    for i, entry in enumerate(notes):
        place = f"{where}: notes[{i}]"
        entry = _mapping(entry, place, "kind, severity, text and values")
        values = _mapping(entry.get("values") or {}, f"{place}.values", "names and values")
        kind, severity, text = (str(entry.get(key)) for key in ("kind", "severity", "text"))
        try:
            found.append(Note(kind, severity, text, dict(values)))  # type: ignore[arg-type]
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
    return tuple(found)


def _mapping(value: Any, where: str, expected: str) -> Mapping[str, Any]:
    """`value` if it is a mapping."""
    if not isinstance(value, Mapping):
        raise InputError(
            f"{where} is a {type(value).__name__}: expected an object that holds {expected}."
        )
    return value


def _number(value: Any, where: str) -> float:
    """A JSON number as a float; null is NaN."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{where} is {value!r}: expected a number.")
    try:
        return float(value)
    except OverflowError:  # of an integer
        raise InputError(
            f"{where} is an integer of hundreds of digits: expected a number."
        ) from None
