"""Scores over subjects: what holds for further people, and not for those alone who were scanned.

Subjects are drawn from a population, so that their differences count: the interval is that of a
random-effects model, by Student's distribution with one degree of freedom less than there are
subjects. The images are the same for all: it holds for further subjects who view these.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from fmri_jax.evaluation import registry
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.units import FEW
from fmri_jax.report import tables
from fmri_jax.report.comparison.variants import Variant, difference

_WIDTH = 2 * 1.959964  # standard errors that a 95 % interval of one subject is wide


class Effect(NamedTuple):
    """A mean over subjects."""

    value: float
    low: float  # 95 % interval over subjects
    high: float
    spread: float  # standard deviation of subjects, beyond what chance gives each


@dataclasses.dataclass(frozen=True)
class Row:
    """One method over several subjects.

    Attributes:
        name: of the method or variant.
        subjects: their names.
        cells: of each metric: text, interval, and what is shown of its lead over the first row.
        clear: of each metric, whether its lead over the first row has an interval without 0.
    """

    name: str
    subjects: tuple[str, ...]
    cells: tuple[tuple[str, str, str], ...]
    clear: tuple[bool, ...]


def random_effects(values: Sequence[float], errors: Sequence[float]) -> Effect:
    """The mean over subjects and its 95 % interval.

    Args:
        values: one score per subject.
        errors: the standard error of each; where one is not known, all subjects weigh alike.

    Returns:
        Weighted by the inverse of both variances, within and between subjects (DerSimonian &
        Laird), with Knapp & Hartung's interval, never shorter than without their factor. NaN ends
        for a single subject.

    References:
        DerSimonian & Laird (1986), Control. Clin. Trials 7:177; Knapp & Hartung (2003), Stat. Med.
        22:2693; Roever, Knapp & Friede (2015), BMC Med. Res. Methodol. 15:99 (the factor).
    """
    y, e = np.asarray(values, np.float64), np.asarray(errors, np.float64)
    n = len(y)
    if n < 2:
        return Effect(float(y.mean()), math.nan, math.nan, math.nan)
    reach = special.stdtrit(n - 1, 0.975)
    if not (np.isfinite(e).all() and (e > 0).all()):
        spread = float(y.std(ddof=1))
        half = reach * spread / math.sqrt(n)
        return Effect(float(y.mean()), float(y.mean() - half), float(y.mean() + half), spread)
    fixed = 1 / e**2
    mean = np.sum(fixed * y) / fixed.sum()
    excess = np.sum(fixed * (y - mean) ** 2) - (n - 1)
    between = max(0.0, excess / (fixed.sum() - np.sum(fixed**2) / fixed.sum()))
    weight = 1 / (e**2 + between)
    mean = float(np.sum(weight * y) / weight.sum())
    factor = max(1.0, float(np.sum(weight * (y - mean) ** 2) / (n - 1)))
    half = float(reach * math.sqrt(factor / weight.sum()))
    return Effect(mean, mean - half, mean + half, math.sqrt(between))


def rows_of(variants: Sequence[Variant]) -> dict[str, dict[str, Variant]]:
    """Name of a method -> subject -> its variant, where there are several subjects.

    Variants belong together that were given one name, or whose configs differ in the recording
    alone.
    """
    groups: dict[str, dict[str, Variant]] = {}
    for variant in variants:
        subject = variant.subject
        if subject:
            groups.setdefault(variant.over_subjects or _method(variant), {})[subject] = variant
    several = {key: found for key, found in groups.items() if len(found) > 1}
    return {_name(key, found): found for key, found in several.items()}


def _method(variant: Variant) -> str:
    """All that a variant's config says but of its recording, and its texts."""
    config = variant.first.config
    kept = {key: config.get(key) for key in ("method", "preparation", "n_devices")}
    return json.dumps(kept, sort_keys=True, default=str)


def _name(key: str, found: dict[str, Variant]) -> str:
    """What a group is called: the given name, or what the names of its variants have in common."""
    names = [variant.name for variant in found.values()]
    if found and next(iter(found.values())).over_subjects == key:
        return key
    words = [word for word in names[0].split() if all(word in name.split() for name in names)]
    return " ".join(words).strip(" ,:-") or str(next(iter(found.values())).first.run.get("method"))


def table(variants: Sequence[Variant], metrics: Sequence[str]) -> list[Row]:
    """Every method over its subjects, with its lead over the first one, subject by subject."""
    groups = rows_of(variants)
    first = next(iter(groups.values()), {})
    return [_row(name, found, first, metrics) for name, found in groups.items()]


def _row(
    name: str, found: dict[str, Variant], first: dict[str, Variant], metrics: Sequence[str]
) -> Row:
    cells, clear = [], []
    for metric in metrics:
        scores = [variant.scores["test"].get(metric, Score(math.nan)) for variant in found.values()]
        units = [variant.n_units for variant in found.values()]
        effect = random_effects([s.value for s in scores], errors(scores, units))
        shown = tables.cell(metric, Score(*effect[:3]))
        lead = _lead(metric, found, first)
        cells.append((shown.text, shown.interval, _lead_text(metric, lead) if lead else ""))
        clear.append(lead is not None and lead.low * lead.high > 0)
    return Row(name, tuple(found), tuple(cells), tuple(clear))


def errors(scores: Sequence[Any], units: Sequence[int]) -> list[float]:
    """Standard errors of subjects' scores from their intervals, NaN where there is none.

    All are NaN, so that subjects weigh alike, where one has fewer than `FEW` independent images:
    intervals of few differ in length by luck, and weights by them call one of two equal methods
    better in 7 of 100 comparisons of eight subjects with five images each.

    Args:
        scores: with `low` and `high`.
        units: independent images of each.
    """
    if min(units) < FEW:
        return [math.nan] * len(scores)
    return [(s.high - s.low) / _WIDTH for s in scores]


def _lead(metric: str, found: dict[str, Variant], first: dict[str, Variant]) -> Effect | None:
    """How far a method is ahead of the first one, over the subjects that both have."""
    if found is first:
        return None
    pairs = [(found[s], first[s]) for s in found if s in first]
    gaps = [gap for ours, theirs in pairs if (gap := difference(ours, theirs, metric)) is not None]
    if len(gaps) < 2:
        return None
    units = [found[s].n_units for s in found if s in first]
    return random_effects([gap.value for gap in gaps], errors(gaps, units))


def _lead_text(metric: str, lead: Effect) -> str:
    name = registry.metric(metric)
    return (
        f"difference {name.text(lead.value)}, over subjects {name.text(lead.low)} to "
        f"{name.text(lead.high)}; they differ by {name.text(lead.spread)}"
    )


def as_markdown(found: Sequence[Row], metrics: Sequence[str]) -> str:
    """The table for a terminal; "" without rows."""
    if not found:
        return ""
    heads = " | ".join(registry.metric(metric).label for metric in metrics)
    lines = [f"| over subjects | n | {heads} |", "|---|---:" + "|---:" * len(metrics) + "|"]
    for row in found:
        cells = " | ".join(
            text + (f" ({interval})" if interval else "") + (" \\*" if clear else "")
            for (text, interval, _), clear in zip(row.cells, row.clear, strict=True)
        )
        lines.append(f"| {row.name.replace('|', '/')} | {len(row.subjects)} | {cells} |")
    lines += [
        "",
        "Means over subjects with 95 % intervals of a random-effects model, for further subjects "
        f"and these images. Star: the difference from {found[0].name} has an interval without 0.",
    ]
    return "\n".join(lines) + "\n"
