"""Scores by the width of a bottleneck, where variants of a comparison differ in that."""

import functools
import math
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fmri_jax.evaluation import registry
from fmri_jax.evaluation.baselines import baseline
from fmri_jax.evaluation.intervals import Score
from fmri_jax.report.comparison.variants import Variant
from fmri_jax.report.figures.theme import Theme, figure, legend_below, panels_per_row, style
from fmri_jax.report.modality_words import Words
from fmri_jax.report.rendering import Chart, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FLOORS = ("prior_samples", "shuffled_fmri", "mean_image")  # the first that the run has
_UNKNOWN = Score(math.nan)


def chart(
    variants: Sequence[Variant],
    metrics: Sequence[str],
    path: pathlib.Path,
    mark: str,
    words: Words | None = None,
) -> Chart | None:
    """One panel per score, over the numbers that responses pass through.

    Beside them what all voxels reach; the floor, which is the prior alone where the method has one;
    and the ceiling, images made of true features, where the method decodes features.

    Args:
        variants: of the comparison.
        metrics: names of scores.
        path: of the picture; removed where there is nothing to show.
        mark: what the figure says in a corner.
        words: those of what was recorded.

    Returns:
        The chart, None where fewer than two variants have a bottleneck.
    """
    found = by_width(variants)
    if len(found) < 2 or not metrics:
        path.unlink(missing_ok=True)
        return None
    listed = "; ".join(
        f"{registry.metric(metric).label} "
        + ", ".join(
            f"{k}: {registry.metric(metric).text(_score(v, metric).value)}" for k, v in found
        )
        for metric in metrics
    )
    drawing = functools.partial(_panels, variants, found, metrics)
    return draw(path, f"Scores by the width of the bottleneck. {listed}.", drawing, mark, words)


def by_width(variants: Sequence[Variant]) -> list[tuple[int, Variant]]:
    """The variants that have a bottleneck, with its width, the narrowest first."""
    widths = [(variant.first.preparation.get("bottleneck"), variant) for variant in variants]
    return sorted(((k, v) for k, v in widths if isinstance(k, int)), key=lambda found: found[0])


def _panels(
    variants: Sequence[Variant],
    found: Sequence[tuple[int, Variant]],
    metrics: Sequence[str],
    theme: Theme,
) -> "Figure":
    n_columns = panels_per_row(len(metrics))
    n_rows = math.ceil(len(metrics) / n_columns)
    drawing = figure(10.5, 0.5 + 2.3 * n_rows, theme)
    grid = drawing.subplots(n_rows, n_columns, squeeze=False)
    for axes in grid.flat[len(metrics) :]:
        axes.set_axis_off()
    for axes, metric in zip(grid.flat, metrics, strict=False):
        _panel(axes, variants, found, metric, theme)
    legend_below(drawing, theme, 5)
    return drawing


def _panel(
    axes: "Axes",
    variants: Sequence[Variant],
    found: Sequence[tuple[int, Variant]],
    metric: str,
    theme: Theme,
) -> None:
    """Points with their intervals over the width, on a logarithmic axis, between their bounds."""
    known = registry.metric(metric)
    style(axes, theme, f"{known.label} {known.arrow}", grid="y")
    widths, scores = [k for k, _ in found], [_score(v, metric) for _, v in found]
    values = [score.value for score in scores]
    axes.plot(
        widths, values, "-o", markersize=3.5, color=theme.accent, label="through a bottleneck"
    )
    for k, score in zip(widths, scores, strict=True):
        if score.has_interval:
            axes.plot([k, k], [score.low, score.high], color=theme.accent, linewidth=1.4)
    for label, value, colour, dash in _bounds(variants, found, metric, theme):
        if math.isfinite(value):
            axes.axhline(value, color=colour, linestyle=dash, linewidth=1.3, label=label)
    axes.set_xscale("log")
    axes.set_xticks(widths, [str(k) for k in widths])
    axes.minorticks_off()
    axes.margins(y=0.12)


def _bounds(
    variants: Sequence[Variant], found: Sequence[tuple[int, Variant]], metric: str, theme: Theme
) -> list[tuple[str, float, str, str]]:
    """Label, value, colour and dash of the lines that a curve runs between."""
    narrow = [variant for _, variant in found]
    lines = [
        (variant.name.lower(), _score(variant, metric).value, theme.ink, "--")
        for variant in variants
        if variant not in narrow
    ][:1]
    run = (variants[0] if variants[0] not in narrow else narrow[-1]).first
    floor = next((name for name in _FLOORS if name in run.scores.baselines), "")
    if floor:
        value = run.scores.baselines[floor].get(metric, _UNKNOWN).value
        lines.append((f"floor: {baseline(floor).label}", value, theme.muted, ":"))
    recovery = run.scores.features.recovery if run.scores.features else {}
    value = recovery.get(metric, _UNKNOWN).value
    lines.append(("ceiling: from true features", value, theme.ridge, "-."))
    return lines


def _score(variant: Variant, metric: str) -> Score:
    return variant.scores["test"].get(metric, _UNKNOWN)
