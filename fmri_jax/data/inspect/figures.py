"""A montage of a recording's images and a histogram of its voxels, as PNG."""

import pathlib

import numpy as np
from PIL import Image

from fmri_jax.data.images import resize
from fmri_jax.errors import InputError

_TILE, _GAP, _COLUMNS, _MOST = 96, 4, 10, 100  # px, px, tiles in a row, tiles


def montage(images: np.ndarray, path: pathlib.Path) -> None:
    """Writes up to 100 images, evenly drawn, in their order.

    Args:
        images: (n, height, width, channels) uint8.
        path: the PNG to write.
    """
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), _MOST)).astype(int))
    tiles = np.broadcast_to(resize(images[chosen], _TILE), (len(chosen), _TILE, _TILE, 3))
    columns = min(_COLUMNS, len(tiles))
    rows, step = -(-len(tiles) // columns), _TILE + _GAP
    sheet = np.full((rows * step + _GAP, columns * step + _GAP, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = (i // columns) * step + _GAP, (i % columns) * step + _GAP
        sheet[top : top + _TILE, left : left + _TILE] = tile
    Image.fromarray(sheet).save(path)


def histogram(fmri: np.ndarray, path: pathlib.Path) -> None:
    """Writes the distribution of all values, and that of the voxels' standard deviations.

    A spike at 0, values far from the rest or voxels without any spread are seen at a glance.

    Args:
        fmri: (trials, voxels).
        path: the PNG to write.
    """
    from matplotlib.figure import Figure

    finite = fmri[np.isfinite(fmri)]
    spread = fmri.std(axis=0, dtype=np.float64)
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    values, spreads = figure.subplots(1, 2)
    values.hist(finite, bins=100, color="#3b6ea5")
    values.set(xlabel="response (units of the recording)", ylabel="values", yscale="log")
    spreads.hist(spread[np.isfinite(spread)], bins=60, color="#a5623b")
    spreads.set(xlabel="standard deviation over trials", ylabel="voxels")
    figure.suptitle(f"{fmri.shape[0]} trials x {fmri.shape[1]} voxels")
    figure.savefig(path, dpi=110)


def write(
    stem: str, fmri: np.ndarray | None, images: np.ndarray | None, out: pathlib.Path
) -> list[pathlib.Path]:
    """Writes those pictures for which there is something to draw.

    Args:
        stem: beginning of the files' names.
        fmri: (trials, voxels), or None.
        images: (n, height, width, channels) uint8, or None.
        out: the folder; made if absent.

    Returns:
        The paths that were written.

    Raises:
        InputError: the folder cannot be written.
    """
    paths = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        if images is not None:
            paths.append(out / f"{stem}_images.png")
            montage(images, paths[-1])
        if fmri is not None:
            paths.append(out / f"{stem}_voxels.png")
            histogram(fmri, paths[-1])
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error.strerror}): choose another --out."
        ) from None
    return paths
