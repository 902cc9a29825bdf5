"""Rows of images as one figure: target images above what was made of them."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.evaluation import registry
from fmri_jax.report.figures import pictures
from fmri_jax.report.figures.theme import Theme, figure, literal
from fmri_jax.report.io.workdir import Workdir

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_IMAGES = 10
_TILE = 96  # smaller images are magnified to about this many pixels, without smoothing


def of_run(run: Workdir, theme: Theme) -> "Figure":
    """Test images, evenly spaced from best to worst: target, reconstruction, baselines."""
    rows = pictures.spread(pictures.ranked(run, run.main), MOST_IMAGES)
    strips = [(label, images[rows]) for label, images in pictures.layers(run).items()]
    values = [
        registry.metric("pixel_correlation").text(float(run.pixel_correlation[row])) for row in rows
    ]
    title = "Test images from best to worst; below, the pixel correlation"
    return draw(strips, values, title + (" (simulated data)" if run.simulated else ""), theme)


def draw(
    strips: Sequence[tuple[str, np.ndarray]], below: Sequence[str], title: str, theme: Theme
) -> "Figure":
    """Draws one row of images for each strip.

    Args:
        strips: label and (n, h, w, c) in [0, 1], each of the same shape; NaN is left white.
        below: a text under each column.
        title: a line above.
        theme: the colours.
    """
    labels, images = zip(*strips, strict=True)
    canvas, pitch, size = _tiled(images)
    n = len(images[0])
    longest = max(map(len, labels))
    width = 0.2 + 0.075 * longest + 0.95 * n
    # Above few images the title takes several lines: its end may say that data are simulated.
    lines = textwrap.wrap(title, int(width / 0.07))
    drawing = figure(width, 0.27 + 0.15 * len(lines) + 0.95 * len(strips), theme)
    axes = drawing.subplots()
    axes.imshow(canvas, interpolation="nearest")
    axes.set_yticks([size / 2 + i * pitch for i in range(len(strips))], list(map(literal, labels)))
    axes.set_xticks([size / 2 + i * pitch for i in range(n)], list(map(literal, below)))
    axes.tick_params(length=0, labelsize=8, labelcolor=theme.ink)
    axes.tick_params(axis="x", labelcolor=theme.muted)
    axes.set_frame_on(False)
    drawing.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=9, color=theme.muted)
    return drawing


def _tiled(strips: Sequence[np.ndarray]) -> tuple[np.ndarray, int, int]:
    """Rows of images (n, h, w, c) as one RGBA canvas with clear gaps; also pitch and size."""
    zoom = max(1, _TILE // max(strips[0].shape[1:3]))
    tiles = [np.nan_to_num(strip, nan=1.0).repeat(zoom, 1).repeat(zoom, 2) for strip in strips]
    n, height, width, _ = tiles[0].shape
    gap = max(height // 16, 2)
    pitch, size = max(height, width) + gap, max(height, width)
    canvas = np.zeros((pitch * len(tiles) - gap, pitch * n - gap, 4), np.float32)
    for i, strip in enumerate(tiles):
        for j, image in enumerate(strip):
            top, left = i * pitch, j * pitch
            canvas[top : top + height, left : left + width, :3] = np.clip(image, 0, 1)
            canvas[top : top + height, left : left + width, 3] = 1
    return canvas, pitch, size
