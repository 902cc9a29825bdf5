"""Artificial stimuli, unlike any photograph: coloured shapes and letters.

Shen et al. (2019, Deep image reconstruction from human brain activity, PLOS Computational Biology
15:e1006633) trained on natural images only and tested, besides unseen natural images, on coloured
artificial shapes and on letters, 40 and 10 of them. Here are as many, on grey ground, drawn from
polygons and in the font that Pillow carries.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

COLOURS = {
    "red": (230, 30, 30),
    "green": (30, 190, 50),
    "blue": (40, 70, 230),
    "yellow": (240, 220, 40),
    "white": (250, 250, 250),
}
LETTERS = "ACEINORSTU"
GREY = (128, 128, 128)
INK = (10, 10, 10)
DRAWING = 512  # px; drawn large, then reduced, for smooth edges

Polygon = list[tuple[float, float]]


def _box(half: float) -> tuple[float, float, float, float]:
    """A centred square of half side `half`, in units of the image's side."""
    return ((0.5 - half) * DRAWING,) * 2 + ((0.5 + half) * DRAWING,) * 2


def _bars(angle: float) -> list[Polygon]:
    """Two crossed bars, turned by `angle` in degrees."""
    long, short = 0.36 * DRAWING, 0.09 * DRAWING
    turn = np.exp(1j * np.deg2rad(angle))
    bars = []
    for half_width, half_height in ((long, short), (short, long)):
        corners = [half_width + 1j * half_height, -half_width + 1j * half_height]
        corners += [-corner for corner in corners]
        centre = (0.5 + 0.5j) * DRAWING
        bars.append([((c * turn + centre).real, (c * turn + centre).imag) for c in corners])
    return bars


def _draw_shape(draw: ImageDraw.ImageDraw, shape: str, colour: tuple[int, int, int]) -> None:
    stroke = round(0.1 * DRAWING)
    match shape:
        case "square":
            draw.rectangle(_box(0.26), fill=colour)
        case "small frame":
            draw.rectangle(_box(0.22), outline=colour, width=stroke)
        case "large frame":
            draw.rectangle(_box(0.38), outline=colour, width=stroke)
        case "plus" | "cross":
            for bar in _bars(0.0 if shape == "plus" else 45.0):
                draw.polygon(bar, fill=colour)
        case "disc":
            draw.ellipse(_box(0.3), fill=colour)
        case "ring":
            draw.ellipse(_box(0.38), outline=colour, width=stroke)
        case "triangle":
            corners = [(0.5, 0.16), (0.86, 0.78), (0.14, 0.78)]
            draw.polygon([(x * DRAWING, y * DRAWING) for x, y in corners], fill=colour)


SHAPES = ("square", "small frame", "large frame", "plus", "cross", "disc", "ring", "triangle")


def shapes(size: int) -> tuple[np.ndarray, list[str]]:
    """Draws each shape in each colour.

    Args:
        size: side of each image, in pixels.

    Returns:
        Images (40, size, size, 3) uint8 and their names, such as 'red small frame'.
    """
    images, names = [], []
    for shape in SHAPES:
        for colour, rgb in COLOURS.items():
            canvas = Image.new("RGB", (DRAWING, DRAWING), GREY)
            _draw_shape(ImageDraw.Draw(canvas), shape, rgb)
            images.append(_reduced(canvas, size))
            names.append(f"{colour} {shape}")
    return np.stack(images), names


def letters(size: int) -> tuple[np.ndarray, list[str]]:
    """Draws ten black letters.

    Args:
        size: side of each image, in pixels.

    Returns:
        Images (10, size, size, 3) uint8 and their names, such as 'letter A'.
    """
    images, names = [], []
    font = ImageFont.load_default(size=0.8 * DRAWING)
    for letter in LETTERS:
        canvas = Image.new("RGB", (DRAWING, DRAWING), GREY)
        centre = (DRAWING / 2, DRAWING / 2)
        draw = ImageDraw.Draw(canvas)
        draw.text(centre, letter, fill=INK, font=font, anchor="mm", stroke_width=12)
        images.append(_reduced(canvas, size))
        names.append(f"letter {letter}")
    return np.stack(images), names


def _reduced(canvas: Image.Image, size: int) -> np.ndarray:
    return np.asarray(canvas.resize((size, size), Image.Resampling.BOX))
