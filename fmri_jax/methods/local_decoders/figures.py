"""What the student report shows of the decoders themselves: pictures, scale weights, voxel maps."""

import csv
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.methods.local_decoders.method import LocalReconstructor
from fmri_jax.methods.local_decoders.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED = "#1b2430", "#5d6876"
N_VOXELS = 40  # voxel maps that are drawn


def write(done: Sweep, out: pathlib.Path, pictured: Sequence[str] = ()) -> list[pathlib.Path]:
    """Draws everything and writes the table of weights.

    Args:
        done: a finished sweep.
        out: folder; `figures/` and `scale_weights.csv` go into it.
        pictured: rows whose reconstructions are drawn; all by default.

    Returns:
        The files.
    """
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    names = list(pictured) or list(done.rows)
    weights = scale_weights(done)
    drawings = {
        "pictures.png": pictures(done, names),
        "voxels.png": voxel_maps(done, names[0]),
    }
    if weights:
        drawings["scale_weights.png"] = weight_bars(weights)
    files = []
    for name, drawing in drawings.items():
        drawing.savefig(folder / name, dpi=150)
        files.append(folder / name)
    files.append(out / "scale_weights.csv")
    _write_weights(weights, files[-1])
    return files


def scale_weights(done: Sweep) -> dict[str, dict[str, tuple[float, float]]]:
    """Row -> scale -> mean and standard deviation over folds of the weight that was learned."""
    table = {}
    for name, row in done.rows.items():
        if row.config.weights != "learned" or row.config.select == "inner":
            continue
        learned = np.stack([np.asarray(model.weights) for model in row.models])
        scales = row.models[0].basis.names()
        table[name] = {
            scale: (float(values.mean()), float(values.std()))
            for scale, values in zip(scales, learned.T, strict=True)
        }
    return table


def pictures(done: Sweep, names: Sequence[str]) -> "Figure":
    """One trial of each image: seen, then reconstructed and binarised at .5 by each row."""
    from matplotlib.figure import Figure

    trials = _typical(done, names[0])
    lines = 1 + 2 * len(names)
    drawing = Figure(figsize=(1.9 + 0.52 * len(trials), 0.55 * lines + 0.3), facecolor="white")
    grid = drawing.subplots(lines, len(trials), squeeze=False)
    layers = [("seen", done.targets)]
    for name in names:
        images = done.rows[name].reconstructions
        layers += [(name, images), ("binarised at .5", (images > 0.5).astype(float))]
    for line, (label, images) in zip(grid, layers, strict=True):
        for axes, trial in zip(line, trials, strict=True):
            _show(axes, images[trial])
        line[0].set_ylabel(
            label, rotation=0, ha="right", va="center", fontsize=7, color=INK, labelpad=6
        )
    drawing.subplots_adjust(left=1.85 / drawing.get_figwidth(), right=0.99, bottom=0.01, top=0.97)
    return drawing


def voxel_maps(done: Sweep, name: str) -> "Figure":
    """Where in the image each voxel adds contrast (red) or takes it away (blue).

    The weights of the elements, combined into pixels and averaged over folds; the voxels with the
    largest weights. A decoder's weights are not a voxel's receptive field: a voxel may be used to
    subtract the noise of another one (Haufe et al. 2014, NeuroImage 87:96).
    """
    from matplotlib.figure import Figure

    maps = np.mean([_pixel_weights(model) for model in done.rows[name].models], axis=0)
    strongest = np.argsort(-np.linalg.norm(maps.reshape(len(maps), -1), axis=1))[:N_VOXELS]
    columns = 10
    lines = math.ceil(len(strongest) / columns)
    drawing = Figure(figsize=(0.8 * columns, 0.95 * lines + 0.5), facecolor="white")
    grid = drawing.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, voxel in zip(grid, strongest, strict=False):
        limit = np.abs(maps[voxel]).max()
        axes.imshow(maps[voxel], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(f"voxel {voxel}", fontsize=6.5, color=MUTED, pad=2)
    drawing.suptitle(f"Weights of the voxels in each pixel: {name}", fontsize=9, color=INK)
    return drawing


def weight_bars(weights: Mapping[str, Mapping[str, tuple[float, float]]]) -> "Figure":
    """Learned weight of each scale, mean and standard deviation over folds."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(2.4 * len(weights) + 0.4, 2.3), facecolor="white")
    drawing.set_layout_engine("constrained")
    panels = drawing.subplots(1, len(weights), sharey=True, squeeze=False)[0]
    for axes, (name, scales) in zip(panels, weights.items(), strict=True):
        means, spreads = zip(*scales.values(), strict=True)
        axes.bar(list(scales), means, yerr=spreads, color="#0f6b78", ecolor=MUTED, width=0.6)
        axes.set_title(f"{name} (sum {sum(means):.2f})", fontsize=7.5, color=INK)
        axes.tick_params(labelsize=7, colors=MUTED)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[0].set_ylabel("weight", fontsize=8, color=MUTED)
    return drawing


def _write_weights(
    weights: Mapping[str, Mapping[str, tuple[float, float]]], path: pathlib.Path
) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("row", "scale", "weight", "sd_over_folds"))
        for name, scales in weights.items():
            for scale, (mean, spread) in scales.items():
                table.writerow((name, scale, f"{mean:.4f}", f"{spread:.4f}"))


def _typical(done: Sweep, name: str) -> list[int]:
    """For each image the trial of median error: neither the best nor the worst is picked."""
    error = np.mean(np.square(done.rows[name].reconstructions - done.targets), axis=(1, 2, 3))
    trials = []
    for stimulus in np.unique(done.stimulus):
        mine = np.flatnonzero(done.stimulus == stimulus)
        trials.append(int(mine[np.argsort(error[mine])[(len(mine) - 1) // 2]]))
    return trials


def _pixel_weights(model: LocalReconstructor) -> np.ndarray:
    """(voxels, height, width): what each voxel adds to each pixel, averaged over channels."""
    height, width, channels = model.shape
    coef = np.asarray(model.elements.coef)
    by_element = coef.reshape(len(coef), -1, channels).mean(axis=2)
    return (by_element @ np.asarray(model.combination)).reshape(-1, height, width)


def _show(axes: "Axes", image: np.ndarray) -> None:
    grey = image[..., 0] if image.shape[-1] == 1 else image
    axes.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#aab4c0")
        spine.set_linewidth(0.5)
