"""Charts of the scores: beside baselines, image by image, group by group."""

import itertools
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fmri_jax.evaluation import registry
from fmri_jax.evaluation.baselines import baseline
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.results import Results
from fmri_jax.report.figures.theme import (
    Theme,
    figure,
    legend_below,
    literal,
    panels_per_row,
    style,
)
from fmri_jax.report.io.workdir import Workdir

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Scores of single images that the distribution chart shows, where they exist.
PER_IMAGE = ("pixel_correlation", "identification_2way")

# What a bar stands for, by attribute of `Theme`.
BarColour = Literal["accent", "variant", "ridge", "other"]

_UNKNOWN = Score(math.nan)
_BESIDE = "\N{NO-BREAK SPACE}"  # before an arrow, which is no line of its own
_WIDTH = 10.5  # inches, of a chart of several panels
_MOST_GROUPS = 60  # a chart with more rows than this is no longer read


def score_bars(run: Workdir, theme: Theme) -> "Figure":
    """One panel per metric: this run with its interval above the baselines, chance as a line."""
    baselines = run.scores.baselines
    labels = ["this run", *(baseline(name).label for name in baselines)]
    panels = {
        metric: [run.scores.test[metric]]
        + [known.get(metric, _UNKNOWN) for known in baselines.values()]
        for metric in run.scores.metrics
    }
    colours = ["accent", *map(baseline_colour, baselines)]
    return bar_panels(labels, panels, run.scores.chance, theme, colours)


def baseline_colour(name: str) -> BarColour:
    """The colour of a baseline's bars: of its own where its images are shown beside the run's."""
    return "ridge" if baseline(name).pictured else "other"


def bar_panels(
    labels: Sequence[str],
    panels: Mapping[str, Sequence[Score]],
    chance: Mapping[str, float],
    theme: Theme,
    colours: Sequence[BarColour],
) -> "Figure":
    """One panel per metric, one bar per label in the colour of its kind; labels need not differ.

    Args:
        labels: of the bars, from the top.
        panels: metric -> score of each bar.
        chance: metric -> value of a guess, where it is known.
        theme: the colours.
        colours: of each bar, by attribute of the theme.
    """
    n_columns = panels_per_row(len(panels))
    n_rows = math.ceil(len(panels) / n_columns)
    drawing = figure(_WIDTH, n_rows * (0.9 + 0.24 * len(labels)), theme)
    grid = drawing.subplots(n_rows, n_columns, squeeze=False)
    for axes, (metric, scores) in zip(grid.flat, panels.items(), strict=False):
        bars = list(zip(labels, scores, colours, strict=True))
        name = registry.metric(metric)
        style(axes, theme, _wrapped(f"{name.label}{_BESIDE}{name.arrow}", labels, n_columns))
        _bar_panel(axes, metric, bars, chance.get(metric, math.nan), theme)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    return drawing


def _wrapped(title: str, labels: Sequence[str], n_columns: int) -> str:
    """A title in lines as short as the bars of its panel leave room for, beside their labels."""
    inches = _WIDTH / n_columns - 0.06 * max(map(len, labels)) - 0.3
    return "\n".join(textwrap.wrap(title, max(int(inches / 0.072), 12)))


def _bar_panel(
    axes: "Axes",
    metric: str,
    bars: Sequence[tuple[str, Score, BarColour]],
    chance: float,
    theme: Theme,
) -> None:
    """Horizontal bars of one metric; the interval as a line, each value in print."""
    name = registry.metric(metric)
    for place, (_, score, colour) in enumerate(bars):
        _bar(axes, place, score, name, colour, theme)
    if math.isfinite(chance):
        axes.axvline(chance, color=theme.muted, linewidth=1, linestyle=(0, (3, 2)))
    axes.set_yticks(range(len(bars)), [literal(label) for label, _, _ in bars])
    axes.tick_params(axis="y", labelcolor=theme.ink)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    _few_ticks(axes, name)
    axes.margins(x=0.18)
    lowest = min((score.value for _, score, _ in bars if score.value < 0), default=0.0)
    axes.set_xlim(left=1.15 * lowest)


def _bar(
    axes: "Axes",
    place: int,
    score: Score,
    name: registry.Metric,
    colour: BarColour,
    theme: Theme,
) -> None:
    """One bar with its interval and its value in print."""
    value = score.value if math.isfinite(score.value) else 0.0
    axes.barh(place, value, height=0.68, color=getattr(theme, colour))
    if score.has_interval:
        axes.plot([score.low, score.high], [place, place], color=theme.ink, linewidth=1.4)
    axes.annotate(
        name.text(score.value),
        (max(value, score.high if score.has_interval else value, 0.0), place),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=theme.ink if colour in ("accent", "variant") else theme.muted,
        bbox={"facecolor": theme.paper, "edgecolor": "none", "pad": 0.8},
    )


def distributions(run: Workdir, theme: Theme) -> "Figure":
    """Every image a dot, one row per test set, the median and the baselines as lines."""
    metrics = [m for m in PER_IMAGE if np.isfinite(run.scores.column(m, len(run.split))).any()]
    splits = [s for s in [*run.seen_sets, "train"] if _has_values(run, s, metrics)]
    drawing = figure(10.5, 1.1 + 0.75 * len(splits), theme)
    panels = drawing.subplots(1, max(len(metrics), 1), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=False):
        style(axes, theme, registry.metric(metric).label)
        values = run.scores.column(metric, len(run.split))
        for place, split in enumerate(splits):
            _swarm(axes, values[run.rows(split)], place, theme, split == run.main)
        _baseline_lines(axes, run.scores, metric, theme)
        axes.set_yticks(range(len(splits)), list(map(literal, splits)))
        axes.set_ylim(len(splits) - 0.5, -0.5)
        axes.tick_params(axis="y", labelcolor=theme.ink)
        _few_ticks(axes, registry.metric(metric))
        axes.margins(x=0.04)
    legend_below(drawing, theme)
    return drawing


def _has_values(run: Workdir, split: str, metrics: list[str]) -> bool:
    """Whether single images of a set were scored."""
    rows = run.rows(split)
    return any(np.isfinite(run.scores.column(m, len(run.split))[rows]).any() for m in metrics)


def _swarm(axes: "Axes", values: np.ndarray, place: int, theme: Theme, main: bool) -> None:
    """Dots that stack where values are close, and a box from quartile to quartile."""
    values = np.sort(values[np.isfinite(values)])
    if not values.size:
        return
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    colour = theme.accent if main else theme.muted
    axes.barh(place, high - low, left=low, height=0.62, color=colour, alpha=0.14)
    axes.scatter(
        values, place + _stacked(values), s=13, color=colour, alpha=0.75, linewidths=0, zorder=3
    )
    axes.plot([middle, middle], [place - 0.31, place + 0.31], color=theme.ink, linewidth=1.8)


def _stacked(values: np.ndarray, n_bins: int = 60) -> np.ndarray:
    """Offsets in [-.3, .3] that put values of one bin above and below each other."""
    span = max(float(values[-1] - values[0]), 1e-9)
    bins = np.minimum(((values - values[0]) / span * n_bins).astype(int), n_bins)
    offsets = np.zeros(len(values))
    tallest = max(np.bincount(bins).max(), 6)
    for index in np.unique(bins):
        members = np.flatnonzero(bins == index)
        offsets[members] = (np.arange(len(members)) - (len(members) - 1) / 2) / tallest
    return 0.58 * offsets


def _baseline_lines(axes: "Axes", scores: Results, metric: str, theme: Theme) -> None:
    """The baselines' means and chance as lines, named in the legend."""
    dashes: list[Any] = [(0, ()), (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (2, 4))]
    lines = {name: values.get(metric, _UNKNOWN).value for name, values in scores.baselines.items()}
    lines["chance"] = scores.chance.get(metric, math.nan)
    for dash, (name, value) in zip(itertools.cycle(dashes), lines.items()):
        if math.isfinite(value):
            colour = (
                getattr(theme, baseline_colour(name)) if baseline(name).pictured else theme.muted
            )
            label = literal("chance" if name == "chance" else baseline(name).label)
            axes.axvline(value, color=colour, linestyle=dash, linewidth=1.3, label=label, zorder=2)


def folds(run: Workdir, theme: Theme, metric: str = "pixel_correlation") -> "Figure":
    """One metric by fold: every image a dot, the fold's mean a bar."""
    found = by_fold(run, metric)[:_MOST_GROUPS]
    name = registry.metric(metric)
    drawing = figure(10.5, 0.9 + 0.23 * len(found), theme)
    axes = drawing.subplots()
    style(axes, theme, f"{name.label} {name.arrow} by fold")
    for place, (_, values) in enumerate(found):
        axes.barh(place, values.mean(), height=0.66, color=theme.accent, alpha=0.3)
        axes.scatter(
            values, np.full(len(values), place), s=14, color=theme.accent, alpha=0.8, linewidths=0
        )
    axes.axvline(
        float(np.mean(np.concatenate([values for _, values in found]))),
        color=theme.ink,
        linewidth=1,
        linestyle=(0, (3, 2)),
    )
    axes.set_yticks(range(len(found)), [literal(label) for label, _ in found])
    axes.tick_params(axis="y", labelcolor=theme.ink)
    axes.set_ylim(len(found) - 0.5, -0.5)
    return drawing


def by_fold(run: Workdir, metric: str) -> list[tuple[str, np.ndarray]]:
    """The test set's values of one metric in each fold, best fold first.

    A fold with a single stimulus goes by the stimulus's name.
    """
    values, names = run.scores.column(metric, len(run.split)), run.names
    found = []
    for fold in run.fold_names:
        rows = np.flatnonzero((run.fold == fold) & (run.split == run.main) & np.isfinite(values))
        if rows.size:
            stimuli = {names[row] for row in rows}
            found.append((stimuli.pop() if len(stimuli) == 1 else fold, values[rows]))
    sign = -1 if registry.metric(metric).better == "higher" else 1
    return sorted(found, key=lambda item: sign * item[1].mean())


def _few_ticks(axes: "Axes", name: registry.Metric) -> None:
    """At most four intervals on the axis of a score, in per cent where the score is."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axes.xaxis.set_major_locator(MaxNLocator(4))
    if name.percent:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
