"""Maps of the voxels: where the masks lie, how steady the signal is, how well responses repeat."""

import pathlib
from typing import Any

import numpy as np

from fmri_jax.data.inspect.reliability import split_half
from fmri_jax.data.inspect.run_view import RunView
from fmri_jax.data.recording import Recording

_SLICES = 8
_OUTSIDE = "#e4e4e4"


def draw(view: RunView, path: pathlib.Path, recording: Recording | None = None) -> None:
    """Writes slices of the first volume with the masks' outline, of tSNR, and of reliability.

    Masks that lie beside the brain, or are flipped, and signal that is missing are seen here.

    Args:
        view: a run.
        path: the PNG to write.
        recording: whose reliability is drawn, if it can be used.
    """
    from matplotlib.figure import Figure

    rows = _rows(view, recording)
    used = np.flatnonzero(view.brain.any(axis=(0, 1)))
    slices = used[np.unique(np.linspace(0, len(used) - 1, min(_SLICES, len(used))).astype(int))]
    figure = Figure(figsize=(1.5 * len(slices) + 1.6, 1.9 * len(rows) + 0.5), layout="constrained")
    grid = figure.subplots(len(rows), len(slices), squeeze=False)
    for place, ((what, volume, style), line) in enumerate(zip(rows, grid, strict=True)):
        for axes, z in zip(line, slices, strict=True):
            drawn = axes.imshow(volume[:, :, z].T, origin="lower", **style)
            axes.set(xticks=[], yticks=[], facecolor=_OUTSIDE)
            if place == 0:
                axes.set_title(f"z = {z}", fontsize=9)
                axes.contour(view.brain[:, :, z].T, levels=[0.5], colors=["#ff8c1a"], linewidths=1)
        line[0].set_ylabel(what, fontsize=9)
        figure.colorbar(drawn, ax=list(line), shrink=0.8)
    figure.savefig(path, dpi=100)


def _rows(
    view: RunView, recording: Recording | None
) -> list[tuple[str, np.ndarray, dict[str, Any]]]:
    """Name, (x, y, z) values and how they are drawn, of each row of slices."""
    top = np.percentile(view.first[np.isfinite(view.first)], 99)
    rows: list[tuple[str, np.ndarray, dict[str, Any]]] = [
        ("first volume", view.first, {"cmap": "gray", "vmin": 0, "vmax": top or 1.0})
    ]
    finite = view.snr[np.isfinite(view.snr)]
    top = np.percentile(np.abs(finite), 98) if len(finite) else 1.0
    style: dict[str, Any] = {"cmap": "viridis", "vmin": 0, "vmax": top or 1.0}
    rows.append(("tSNR", _placed(view, view.snr), style))
    reliability = split_half(recording) if recording else None
    if reliability is not None and len(reliability) == view.brain.sum():
        style = {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
        rows.append(("reliability (r)", _placed(view, reliability), style))
    return rows


def _placed(view: RunView, values: np.ndarray) -> np.ndarray:
    """Values of the voxels where these are, NaN elsewhere."""
    volume = np.full(view.brain.shape, np.nan)
    volume[view.brain] = values
    return volume
