"""What only local decoders can show of what they learned: scale weights and voxel maps."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fmri_jax.methods.local_decoders.method import LocalReconstructor

INK, MUTED, ACCENT = "#1b2430", "#5d6876", "#0f6b78"
N_VOXELS, COLUMNS = 40, 10  # voxel maps that are drawn, and how many side by side


def draw(fitted: Iterable["LocalReconstructor"]) -> dict[str, tuple["Figure", str]]:
    """Draws what the decoders of all folds learned.

    Args:
        fitted: of each fold; used once.

    Returns:
        Name -> figure and caption: "scale_weights", where each fold learned one weight per scale,
        and "voxel_maps".
    """
    learned, maps = [], []
    for model in fitted:
        learned.append(scale_weights(model))
        maps.append(pixel_weights(model))
    drawn = {}
    scales = learned[0].keys()
    if scales and all(weights.keys() == scales for weights in learned):
        values = {name: np.array([weights[name] for weights in learned]) for name in scales}
        total = sum(weights.mean() for weights in values.values())
        drawn["scale_weights"] = (
            weight_bars(values),
            "Learned weight of each scale: mean over folds, and the standard deviation as a line. "
            f"The means add up to {total:.2f}.",
        )
    drawn["voxel_maps"] = (
        voxel_maps(np.mean(maps, axis=0)),
        "Where in the image each voxel adds contrast (red) or takes it away (blue): weights "
        "combined into pixels and averaged over folds, for the voxels with the largest. A "
        "decoder's weights are not a voxel's receptive field: a voxel may be used to subtract "
        "the noise of another one (Haufe et al. 2014, NeuroImage 87:96).",
    )
    return drawn


def scale_weights(model: "LocalReconstructor") -> dict[str, float]:
    """Scale -> its weight; nothing where weights were not learned one per scale."""
    if model.config.weights != "learned":
        return {}
    return dict(zip(model.basis.names(), map(float, np.asarray(model.weights)), strict=True))


def pixel_weights(model: "LocalReconstructor") -> np.ndarray:
    """(voxels, height, width): what each voxel adds to each pixel, averaged over channels.

    For "sparse_logistic", whose elements are probabilities, it is what is added to the logits.
    """
    height, width, channels = model.shape
    coef = np.asarray(model.elements.coef)
    by_element = coef.reshape(len(coef), -1, channels).mean(axis=2)
    return (by_element @ np.asarray(model.combination)).reshape(-1, height, width)


def weight_bars(weights: dict[str, np.ndarray]) -> "Figure":
    """One bar per scale: mean over folds, with the standard deviation as a line."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(1 + 0.7 * len(weights), 2.3), facecolor="white", dpi=150)
    drawing.set_layout_engine("constrained")
    axes = drawing.subplots()
    means = [values.mean() for values in weights.values()]
    spreads = [values.std() for values in weights.values()]
    axes.bar(list(weights), means, yerr=spreads, color=ACCENT, ecolor=MUTED, width=0.6)
    axes.tick_params(labelsize=7, colors=MUTED)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylabel("weight", fontsize=8, color=MUTED)
    return drawing


def voxel_maps(maps: np.ndarray) -> "Figure":
    """The maps (voxels, height, width) of the strongest voxels as one picture, each in its range.

    Args:
        maps: (voxels, height, width).
    """
    from matplotlib.figure import Figure

    norms = np.linalg.norm(maps.reshape(len(maps), -1), axis=1)
    strongest = np.argsort(-norms, kind="stable")[:N_VOXELS]
    lines, (height, width) = math.ceil(len(strongest) / COLUMNS), maps.shape[1:]
    gap = max(1, height // 8)
    # One array instead of an axes object per map, which would take seconds to draw.
    canvas = np.full((lines * (height + 2 * gap), COLUMNS * (width + gap)), np.nan)
    drawing = Figure(figsize=(0.8 * COLUMNS, 0.8 * canvas.shape[0] / (width + gap)), dpi=150)
    axes = drawing.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.axis("off")
    for place, voxel in enumerate(strongest):
        top = place // COLUMNS * (height + 2 * gap) + 2 * gap
        left = place % COLUMNS * (width + gap)
        limit = np.abs(maps[voxel]).max() or 1
        canvas[top : top + height, left : left + width] = maps[voxel] / limit
        axes.text(left, top - 0.7, f"voxel {voxel}", fontsize=6.5, color=MUTED)
    axes.imshow(canvas, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest", aspect="equal")
    return drawing
