"""`scores.json`, checked: scores with intervals, baselines, chance, and one row an image."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from fmri_jax.data.recording import RESERVED
from fmri_jax.errors import InputError
from fmri_jax.evaluation import registry
from fmri_jax.evaluation.permutation import Difference

Verdict = Literal["beaten", "open", "not beaten", ""]
Evidence = Literal["difference", "interval", ""]


@dataclasses.dataclass(frozen=True)
class Score:
    """A score and its 95 % bootstrap interval over stimuli; NaN where undefined or not given."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclasses.dataclass(frozen=True)
class Scores:
    """The content of `scores.json`.

    Attributes:
        sets: test set -> metric -> score: the main test set first, others, 'train' last.
        baselines: baseline -> metric -> score on the test set.
        differences: baseline -> metric -> this run minus the baseline, paired over the stimuli of
            the test set: {"value", "low", "high", "p"}. Fewer than five stimuli give no `low` and
            `high`. Runs of earlier versions and scores without values of single images have none.
        chance: metric -> value of a guess.
        per_image: one mapping an image, with `index`, the row in `reconstructions.npz`.
        notes: sentences that the run left for the reader.
        eight_numbers: number -> score, the row of NSD papers; empty where it was not asked for.
        not_computed: number -> why it is missing from that row.
    """

    sets: dict[str, dict[str, Score]]
    baselines: dict[str, dict[str, Score]]
    differences: dict[str, dict[str, Difference]]
    chance: dict[str, float]
    per_image: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    eight_numbers: dict[str, Score]
    not_computed: dict[str, str]

    @property
    def test(self) -> dict[str, Score]:
        """The scores of the main test set."""
        return next(iter(self.sets.values()))

    def of(self, split: str) -> dict[str, Score]:
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

    def column(self, metric: str, n_rows: int) -> np.ndarray:
        """One metric for each row of `reconstructions.npz`, (n_rows,), NaN where not scored."""
        values = np.full(n_rows, np.nan)
        for row in self.per_image:
            values[row["index"]] = _number(row.get(metric))
        return values

    def verdict(self, metric: str, baseline: str) -> Verdict:
        """Whether the method beats a baseline on one metric of the test set.

        'beaten' means that the whole 95 % interval of the paired difference is on the better
        side; where no difference was stored, that the method's own interval leaves out the
        baseline's value. 'open' means that the method's value is the better one, but not as
        certainly. '' means that the two cannot be compared.
        """
        name = registry.metric(metric)
        ours = self.test[metric]
        theirs = self.baselines[baseline].get(metric, Score(math.nan)).value
        if not (name.better and math.isfinite(ours.value) and math.isfinite(theirs)):
            return ""
        if not name.is_better(ours.value, theirs):
            return "not beaten"
        evidence = self.evidence(metric, baseline)
        if evidence == "difference":
            ends = self.differences[baseline][metric][1:3]
            clear = all(name.is_better(end, 0.0) for end in ends)
        else:
            clear = evidence == "interval" and not ours.low <= theirs <= ours.high
        return "beaten" if clear else "open"

    def evidence(self, metric: str, baseline: str) -> Evidence:
        """Which interval a verdict rests on: of the paired difference, of the run's own score.

        The baseline was made for the same images: on images that are hard for both the difference
        is surer than either score. '' means that there is no interval.
        """
        found = self.differences.get(baseline, {}).get(metric)
        if found is not None:
            return "difference" if math.isfinite(found.low) else ""
        return "interval" if self.test[metric].has_interval else ""


def parse(content: Any, n_rows: int, where: str, main: str = "test") -> Scores:
    """Checks the content of `scores.json`.

    Args:
        content: the decoded JSON.
        n_rows: the number of rows of `reconstructions.npz`.
        where: the file's path, for messages.
        main: the name of the main test set.

    Raises:
        InputError: a part is missing or has another form than the report reads.
    """
    content = _mapping(content, where, "test sets, baselines and per_image")
    baselines, differences, chance = (
        _mapping(content.get(part) or {}, f"{where}: {part}", f"{holds} -> numbers")
        for part, holds in (("baselines", "name"), ("differences", "name"), ("chance", "metric"))
    )
    place = f"{where}: eight_numbers"
    row = _mapping(content.get("eight_numbers") or {}, place, "values and not_computed")
    missing = _mapping(row.get("not_computed") or {}, place, "number -> why it is missing")
    return Scores(
        sets=_sets(content, where, main),
        baselines={
            name: _scores(baselines[name], f"{where}: baselines.{name}")
            for name in registry.ordered_baselines(set(baselines))
        },
        differences={
            name: _differences(values, f"{where}: differences.{name}")
            for name, values in differences.items()
        },
        chance={name: _checked_number(v, f"{where}: chance.{name}") for name, v in chance.items()},
        per_image=_per_image(content.get("per_image") or [], n_rows, where),
        notes=tuple(str(note) for note in content.get("notes") or ()),
        eight_numbers=_scores(row.get("values") or {}, place),
        not_computed={number: str(reason) for number, reason in missing.items()},
    )


def _sets(content: Mapping[str, Any], where: str, main: str) -> dict[str, dict[str, Score]]:
    """The scores of every test set, the main one first, and of the training images, last."""
    if not content.get(main):
        raise InputError(
            f"{where} has no scores under {main!r}: expected "
            f'{{"{main}": {{metric: {{"value", "low", "high"}}}}, ...}}; score the run again.'
        )
    others = sorted(set(content) - {main, "train", *RESERVED})
    return {
        name: _scores(content[name], f"{where}: {name}")
        for name in [main, *others, "train"]
        if content.get(name)
    }


def _scores(values: Any, where: str) -> dict[str, Score]:
    """Metric -> score, from numbers or from {"value", "low", "high"}."""
    scores = {}
    for metric, entry in _mapping(values, where, "metric -> score").items():
        place = f"{where}.{metric}"
        if not isinstance(entry, Mapping):
            scores[metric] = Score(_checked_number(entry, place))
        elif "value" not in entry:
            raise InputError(f"{place} has the keys {sorted(entry)}: expected value, low and high.")
        else:
            parts = (_checked_number(entry.get(key), place) for key in ("value", "low", "high"))
            scores[metric] = Score(*parts)
    return scores


def _differences(values: Any, where: str) -> dict[str, Difference]:
    """Metric -> paired difference, from {"value", "low", "high", "p"}."""
    found = {}
    for metric, entry in _mapping(values, where, "metric -> difference").items():
        place = f"{where}.{metric}"
        entry = _mapping(entry, place, "value, low, high and p")
        found[metric] = Difference(
            *(_checked_number(entry.get(key), place) for key in Difference._fields)
        )
    return found


def _per_image(rows: Any, n_rows: int, where: str) -> tuple[dict[str, Any], ...]:
    """The rows of `per_image`, each with an index that exists."""
    for i, row in enumerate(rows):
        index = row.get("index") if isinstance(row, Mapping) else None
        if not isinstance(index, int) or not 0 <= index < n_rows:
            raise InputError(
                f"{where}: per_image[{i}] has index {index!r}: expected a row of "
                f"reconstructions.npz, 0 to {n_rows - 1}."
            )
    return tuple(dict(row) for row in rows)


def _mapping(value: Any, where: str, expected: str) -> Mapping[str, Any]:
    """`value` if it is a mapping."""
    if not isinstance(value, Mapping):
        raise InputError(
            f"{where} is a {type(value).__name__}: expected an object that holds {expected}."
        )
    return value


def _checked_number(value: Any, where: str) -> float:
    """A JSON number as a float; null is NaN."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise InputError(f"{where} is {value!r}: expected a number.")
    return _number(value)


def _number(value: Any) -> float:
    """A float, NaN for what is not a number."""
    return float(value) if isinstance(value, (int, float)) else math.nan
