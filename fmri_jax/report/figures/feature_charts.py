"""Charts of decoded features: scores by layer, and the matrix of layers and regions."""

import math
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.evaluation.feature_results import SCORES, Layers, SetResults
from fmri_jax.evaluation.intervals import Score
from fmri_jax.report.figures.theme import Theme, figure, legend_below, literal, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UNKNOWN = Score(math.nan)


def layers(found: SetResults, theme: Theme) -> "Figure":
    """One panel per score: the layers from left to right, the interval as a line."""
    drawing = figure(10.5, 2.9, theme)
    panels = drawing.subplots(1, len(SCORES))
    for axes, (name, metric) in zip(panels, SCORES.items(), strict=True):
        style(axes, theme, f"{metric.label} {metric.arrow}", grid="y")
        _line(axes, found.span, name, theme.muted, "best in the span of training", "--")
        _line(axes, found.decoded, name, theme.accent, "decoded", "-")
        if metric.chance:
            chance, dots = metric.chance(2, 0) or 0.0, (0, (1, 2))
            axes.axhline(chance, color=theme.muted, linewidth=1, linestyle=dots, label="chance")
        names = list(map(literal, found.decoded))
        crowded = len(names) > 8
        axes.set_xticks(range(len(names)), names, rotation=90 if crowded else 30)
        axes.margins(y=0.12)
    legend_below(drawing, theme, 3)
    return drawing


def _line(axes: "Axes", by_layer: Layers, name: str, colour: str, label: str, dash: str) -> None:
    scores = [of.get(name, _UNKNOWN) for of in by_layer.values()]
    places, values = np.arange(len(scores)), np.array([score.value for score in scores])
    axes.plot(places, values, dash, marker="o", markersize=3.5, color=colour, label=label)
    if dash == "-":
        axes.vlines(
            places, [s.low for s in scores], [s.high for s in scores], color=colour, linewidth=1.4
        )


def regions(found: SetResults, theme: Theme) -> "Figure":
    """Feature identification by layer (rows) and region (columns): a heat map with its values.

    White is chance; what is below chance is orange.
    """
    from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm

    metric = SCORES["identification"]
    names, columns = list(found.decoded), list(found.regions)
    values = np.array(
        [
            [found.regions[c].get(layer, {}).get("identification", _UNKNOWN).value for c in columns]
            for layer in names
        ]
    )
    colours = [theme.ridge, theme.paper, theme.accent]
    shades = LinearSegmentedColormap.from_list("identification", colours)
    drawing = figure(1.9 + 0.72 * len(columns), 1.5 + 0.36 * len(names), theme)
    axes = drawing.subplots()
    image = axes.imshow(values, cmap=shades, norm=TwoSlopeNorm(0.5, 0, 1), aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = f"{100 * value:.0f}" if math.isfinite(value) else "–"
        ink = theme.paper if abs(value - 0.5) > 0.33 else theme.ink
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    axes.set_xticks(range(len(columns)), list(map(literal, columns)), rotation=30, ha="right")
    axes.set_yticks(range(len(names)), list(map(literal, names)))
    axes.tick_params(length=0, labelsize=8, labelcolor=theme.ink)
    axes.set_frame_on(False)
    bar = drawing.colorbar(image, ax=axes, ticks=[0, 0.5, 1], fraction=0.05, pad=0.02)
    bar.ax.set_yticklabels(["0 %", "chance 50 %", "100 %"], fontsize=7.5, color=theme.muted)
    bar.ax.axhline(0.5, color=theme.ink, linewidth=1)
    bar.outline.set_visible(False)
    axes.set_title(f"{metric.label}, %", loc="left", fontsize=9.5, color=theme.ink, weight="bold")
    return drawing
