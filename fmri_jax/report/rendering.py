"""From charts and values to a self-contained HTML file."""

import base64
import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fmri_jax.files import replacing
from fmri_jax.report import modality_words
from fmri_jax.report.figures.theme import LIGHT, Theme, png, stamp
from fmri_jax.report.modality_words import Words

if TYPE_CHECKING:
    import jinja2
    from matplotlib.figure import Figure

_FOLDER = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Chart:
    """A figure as a `data:` address, which the style sheet inverts on dark screens.

    The size is in CSS pixels.
    """

    source: str
    alt: str
    width: int
    height: int


def draw(
    path: pathlib.Path,
    alt: str,
    chart: Callable[[Theme], "Figure"],
    mark: str,
    words: Words | None = None,
) -> Chart:
    """Draws a chart, `mark` in a corner, and writes it to `path`; its texts in these `words`."""
    drawing = chart(LIGHT)
    if mark:
        stamp(drawing, LIGHT, mark)
    content = png(drawing, words)
    write_file(path, content)
    width, height = (round(inches * 100) for inches in drawing.get_size_inches())
    return Chart(data_address(content), alt, width, height)


def data_address(png_bytes: bytes) -> str:
    """A PNG as a `data:` address."""
    return "data:image/png;base64," + base64.b64encode(png_bytes).decode()


def render(template: str, values: dict[str, Any], words: Words | None = None) -> str:
    """Fills a template of this folder; text is escaped, unknown names are an error.

    Args:
        template: name of its file.
        values: what it shows.
        words: of what was recorded, into which all texts are put but those marked `data-verbatim`;
            None: those of fMRI.
    """
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    page = _environment().get_template(template).render(style=style, **values)
    return modality_words.page(page, words) if words else page


@functools.cache
def _environment() -> "jinja2.Environment":
    """One for all pages, as it keeps templates that it has read."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_file(path: pathlib.Path, content: str | bytes) -> pathlib.Path:
    """Writes a file completely or not at all: a page marks a run as finished."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
