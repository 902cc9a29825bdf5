"""Charts of encoding models: the matrix of regions and layers, and the voxels behind it."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fmri_jax.report.figures.theme import (
    Theme,
    figure,
    legend_below,
    literal,
    panels_per_row,
    style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def matrix(content: Mapping[str, Any], theme: Theme) -> "Figure":
    """Median correlation of each region (rows) by each model (columns), in print and shade."""
    from matplotlib.colors import LinearSegmentedColormap

    models, regions = content["models"], content["regions"]
    values = np.array(
        [
            [_value(region["models"][model]["normalised"]) for model in models]
            for region in regions.values()
        ]
    )
    shades = LinearSegmentedColormap.from_list("encoding", [theme.paper, theme.accent])
    top = max(float(np.nanmax(values, initial=0.1)), 0.1)
    drawing = figure(2.2 + 0.82 * len(models), 1.4 + 0.34 * len(regions), theme)
    axes = drawing.subplots()
    image = axes.imshow(values, cmap=shades, vmin=0, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = f"{value:.2f}" if math.isfinite(value) else "–"
        ink = theme.paper if value > 0.6 * top else theme.ink
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=ink)
    axes.set_xticks(range(len(models)), list(map(literal, models)), rotation=30, ha="right")
    axes.set_yticks(range(len(regions)), list(map(literal, regions)))
    axes.tick_params(length=0, labelsize=8, labelcolor=theme.ink)
    axes.set_frame_on(False)
    bar = drawing.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
    bar.ax.tick_params(length=0, labelsize=7.5, labelcolor=theme.muted)
    bar.outline.set_visible(False)
    return drawing


def histograms(
    regions: Mapping[str, np.ndarray],
    correlation: np.ndarray,
    ceiling: np.ndarray | None,
    units: str,
    theme: Theme,
) -> "Figure":
    """One panel per region: how many voxels reach which correlation, beside their ceilings."""
    columns = panels_per_row(len(regions))
    rows = math.ceil(len(regions) / columns)
    drawing = figure(10.5, 0.4 + 1.7 * rows, theme)
    grid = drawing.subplots(rows, columns, squeeze=False, sharex=True)
    low = min(-0.2, float(correlation.min()))
    edges = np.linspace(low, 1, 41)
    for axes, (name, mask) in zip(grid.flat, regions.items(), strict=False):
        style(axes, theme, f"{name}, {int(mask.sum()):,} {units}", grid="y")
        axes.hist(correlation[mask], edges, color=theme.accent, label="predicted")
        if ceiling is not None:
            axes.hist(
                ceiling[mask], edges, histtype="step", color=theme.ridge, label="noise ceiling"
            )
        axes.axvline(0, color=theme.muted, linewidth=0.8)
    for axes in grid.flat[len(regions) :]:
        axes.set_visible(False)
    legend_below(drawing, theme, 2)
    return drawing


def against_ceiling(correlation: np.ndarray, ceiling: np.ndarray, theme: Theme) -> "Figure":
    """Each voxel a dot: its correlation over its noise ceiling, the line where both are equal."""
    drawing = figure(5.2, 4.2, theme)
    axes = drawing.subplots()
    style(axes, theme)
    axes.scatter(ceiling, correlation, s=8, color=theme.accent, alpha=0.5, linewidths=0)
    axes.plot([0, 1], [0, 1], color=theme.ridge, linewidth=1.2)
    axes.axhline(0, color=theme.muted, linewidth=0.8)
    axes.set_xlabel("noise ceiling (correlation)", fontsize=8.5, color=theme.muted)
    axes.set_ylabel("correlation, left-out stimuli", fontsize=8.5, color=theme.muted)
    axes.set_xlim(-0.02, 1.02)
    return drawing


def _value(score: Mapping[str, Any]) -> float:
    return math.nan if score["value"] is None else float(score["value"])
