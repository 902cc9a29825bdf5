"""Training curves: one panel per metric, one thin line per fold."""

import math
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.evaluation import registry
from fmri_jax.report.figures.theme import Theme, figure, panels_per_row, style
from fmri_jax.report.io.workdir import Curve, Workdir

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Terms of a loss as training logs them, under names that tell what they are.
_CURVES = {
    "image": "Image loss",
    "feature": "Feature loss",
    "responses": "1 - correlation of responses",
    "adversarial": "Adversarial loss",
    "discriminator_real": "Discriminator loss, real images",
    "discriminator_generated": "Discriminator loss, generated",
    "generator_gradient": "Gradient norm, generator",
    "discriminator_gradient": "Gradient norm, discriminator",
    "rate": "Rate of the latents, bits per dimension",
    "distortion": "Distortion of the pixels, bits per dimension",
    "mse": "Mean squared error of the pixels",
    "gradient": "Gradient norm",
}

_POINTS = 300  # a line of more points than this is drawn as means of neighbours
_LOG_RATIO = 20.0  # a positive metric that spans more than this gets a logarithmic axis


def training_curves(run: Workdir, theme: Theme) -> "Figure":
    """One panel per metric; several folds as thin lines under their median."""
    return panels(run.curves, theme)


def panels(curves: dict[str, dict[str, Curve]], theme: Theme) -> "Figure":
    """One panel per metric that changes: metric -> fold -> curve."""
    curves = shown(curves)
    n_columns = panels_per_row(len(curves))
    n_rows = math.ceil(len(curves) / n_columns)
    drawing = figure(10.5, 2.05 * n_rows + 0.2, theme)
    grid = drawing.subplots(n_rows, n_columns, squeeze=False, sharex=True)
    for axes, (metric, folds) in zip(grid.flat, curves.items(), strict=False):
        _panel(axes, metric, folds, theme)
    for axes in grid.flat[len(curves) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("step", fontsize=8, color=theme.muted)
    return drawing


def title(name: str) -> str:
    """The title of a training curve."""
    return _CURVES.get(name, registry.plain(name))


def shown(curves: dict[str, dict[str, Curve]]) -> dict[str, dict[str, Curve]]:
    """The metrics worth a panel: those with more than one point that ever change."""
    return {
        metric: folds
        for metric, folds in curves.items()
        if any(len(values) > 1 and np.ptp(values) > 0 for _, values in folds.values())
    }


def _panel(axes: "Axes", metric: str, folds: dict[str, Curve], theme: Theme) -> None:
    """The curves of one metric."""
    lines = [thinned(curve) for curve in folds.values()]
    many = len(lines) > 1
    for steps, values in lines:
        axes.plot(
            steps,
            values,
            color=theme.accent,
            linewidth=0.7 if many else 1.5,
            alpha=0.4 if many else 1.0,
        )
    if many:
        steps, middle = median(lines)
        axes.plot(steps, middle, color=theme.ink, linewidth=1.5)
    everything = np.concatenate([values for _, values in lines])
    log = wants_log(everything)
    style(axes, theme, title(metric) + (" (log)" if log else ""), grid="y")
    if log:
        axes.set_yscale("log")
    axes.tick_params(which="both", length=0, labelbottom=True)


def wants_log(values: np.ndarray) -> bool:
    """Whether a logarithmic axis shows more: positive values over more than a factor of 20."""
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() / values.min() > _LOG_RATIO)


def thinned(curve: Curve) -> Curve:
    """At most 300 points, each the mean of neighbours: a long noisy curve stays readable."""
    steps, values = curve
    if len(values) <= _POINTS:
        return curve
    parts = np.array_split(np.arange(len(values)), _POINTS)
    return (
        np.array([steps[part].mean() for part in parts]),
        np.array([values[part].mean() for part in parts]),
    )


def median(lines: list[Curve]) -> Curve:
    """The median over folds at the steps of the longest one; a fold counts as far as it goes."""
    steps = max((line[0] for line in lines), key=len)
    stacked = np.array([np.interp(steps, *line, left=np.nan, right=np.nan) for line in lines])
    return steps, np.nanmedian(stacked, axis=0)
