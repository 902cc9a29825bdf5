"""The score tables of the page."""

import dataclasses
import math
from collections.abc import Collection

from fmri_jax.evaluation import baselines, registry
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.permutation import Difference
from fmri_jax.evaluation.results import Results
from fmri_jax.report.text.text_format import p_text


@dataclasses.dataclass(frozen=True)
class Cell:
    """One entry: the value, its interval, and how it stands out.

    Attributes:
        text: the printed value.
        interval: the printed 95 % interval, or ''.
        best: whether no other entry of the row is better.
        note: why a baseline is not clearly beaten by the run, '' where it is.
    """

    text: str
    interval: str = ""
    best: bool = False
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """One metric."""

    metric: registry.Metric
    cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """Column heads, each with an explanation or '', and rows."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


def against_baselines(scores: Results) -> Table:
    """The test set: this run, each baseline, chance. The best of the run and baselines is bold."""
    interval = "95 % interval over stimuli" if scores.has_intervals else ""
    columns = [("this run", interval)]
    columns += [
        (found.label, found.explanation) for found in map(baselines.baseline, scores.baselines)
    ]
    columns.append(("chance", "what a guess scores on average"))
    rows = [_baseline_row(scores, metric) for metric in scores.metrics]
    return Table(tuple(columns), tuple(rows))


def by_set(scores: Results, leave_out: Collection[str] = ()) -> Table | None:
    """Every test set and the training images, this run only; None where there is one set."""
    sets = {name: values for name, values in scores.sets.items() if name not in leave_out}
    if len(sets) < 2:
        return None
    metrics = registry.ordered({metric for values in sets.values() for metric in values})
    rows = [
        Row(
            registry.metric(metric),
            tuple(cell(metric, values.get(metric, Score(math.nan))) for values in sets.values()),
        )
        for metric in metrics
    ]
    return Table(tuple((name, "") for name in sets), tuple(rows))


def cell(metric: str, score: Score, best: bool = False, note: str = "") -> Cell:
    """A score of a known metric as it is printed."""
    return score_cell(registry.metric(metric), score, best, note)


def score_cell(name: registry.Metric, score: Score, best: bool = False, note: str = "") -> Cell:
    """A score as it is printed under the given name."""
    interval = f"{name.text(score.low)} – {name.text(score.high)}" if score.has_interval else ""
    return Cell(name.text(score.value), interval.replace(" % –", " –"), best, note)


def difference_text(metric: str, found: Difference) -> str:
    """`difference 0.012 (−0.003 – 0.027), p = 0.120`."""
    shown = cell(metric, Score(*found[:3]))
    text = f"difference {shown.text}" + (f" ({shown.interval})" if shown.interval else "")
    text += f", {p_text(found.p)}" if math.isfinite(found.p) else ""
    return text + (f", of all {p_text(found.adjusted)}" if math.isfinite(found.adjusted) else "")


def best_of(metric: str, values: list[float]) -> list[bool]:
    """Which of the values are the best; none where the direction is unknown."""
    name = registry.metric(metric)
    known = [value for value in values if math.isfinite(value)]
    if not name.better or len(known) < 2:
        return [False] * len(values)
    return [
        math.isfinite(value) and not any(name.is_better(other, value) for other in known)
        for value in values
    ]


def _baseline_row(scores: Results, metric: str) -> Row:
    """One metric of the test set beside its baselines."""
    entries = [scores.test[metric]]
    entries += [values.get(metric, Score(math.nan)) for values in scores.baselines.values()]
    best = best_of(metric, [entry.value for entry in entries])
    notes = ["", *(_note(scores, metric, name) for name in scores.baselines)]
    cells = [
        cell(metric, entry, bold, note)
        for entry, bold, note in zip(entries, best, notes, strict=True)
    ]
    chance = cell(metric, Score(scores.chance.get(metric, math.nan)))
    return Row(registry.metric(metric), (*cells, chance))


def _note(scores: Results, metric: str, baseline: str) -> str:
    """Why a baseline is not clearly beaten: `open, difference 0.01 (−0.01 – 0.03), p = 0.120`."""
    significance: str = scores.significance(metric, baseline)
    if significance in ("", "beaten"):
        return ""
    if significance == "blind lead":
        who = baselines.baseline(scores.without_brain[baseline][metric]).label
        significance = f"no decoding, as {who} leads here as well"
    found = scores.differences.get(baseline, {}).get(metric)
    return f"{significance}, {difference_text(metric, found)}" if found else significance
