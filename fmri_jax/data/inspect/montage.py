"""A montage of a recording's images, each with its name and how often it is shown."""

import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fmri_jax.data.images import resize
from fmri_jax.data.recording import Recording

TILE, LINE, GAP, COLUMNS, MOST = 96, 26, 6, 10, 100  # px, px of text, px, tiles in a row, tiles
_INK, _PALE = (20, 20, 20), (190, 60, 40)


def draw(recording: Recording, path: pathlib.Path) -> None:
    """Writes up to 100 images, evenly drawn, in their order.

    Below each stand its index, its name, and how many trials show it, in red where none does.

    Args:
        recording: the recording.
        path: the PNG to write.
    """
    images = recording.images
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST)).astype(int))
    counts = np.bincount(recording.stimulus, minlength=len(images))
    tiles = np.broadcast_to(resize(images[chosen], TILE), (len(chosen), TILE, TILE, 3))
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    size = (columns * (TILE + GAP) + GAP, rows * (TILE + LINE + GAP) + GAP)
    sheet = Image.new("RGB", size, (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), _font()
    for i, (index, tile) in enumerate(zip(chosen.tolist(), tiles, strict=True)):
        left = (i % columns) * (TILE + GAP) + GAP
        top = (i // columns) * (TILE + LINE + GAP) + GAP
        sheet.paste(Image.fromarray(np.ascontiguousarray(tile)), (left, top))
        colour = _INK if counts[index] else _PALE
        shown = f"{index}: shown {counts[index]}x" if counts[index] else f"{index}: never shown"
        pen.text((left, top + TILE + 1), shown, colour, font)
        name = _fitting(recording.stimulus_names[index], font, pen)
        pen.text((left, top + TILE + 13), name, colour, font)
    sheet.save(path)


def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib brings along and which knows most alphabets."""
    import matplotlib

    folder = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / "DejaVuSans.ttf"), 10)


def _fitting(name: str, font: ImageFont.FreeTypeFont, pen: ImageDraw.ImageDraw) -> str:
    """A name, shortened in its middle to the width of a tile."""
    name = " ".join(name.split())
    for kept in range(len(name), 3, -1):
        half = kept // 2
        text = name if kept == len(name) else f"{name[: kept - half]}…{name[-half:]}"
        if pen.textlength(text, font) <= TILE:
            return text
    return name[:3]
