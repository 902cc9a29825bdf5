"""Colours and axes of the charts; dark screens invert them (`style.css`)."""

import dataclasses
import io
from typing import TYPE_CHECKING, Literal

from fmri_jax.report import modality_words
from fmri_jax.report.modality_words import Words

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 160


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours that can be distinguished with colour-blind eyes and in grey print.

    In bar charts the run that a page is about has `accent`, other runs beside it `variant`, the
    ridge baseline `ridge`, and other baselines `other`.
    """

    paper: str
    ink: str
    muted: str
    grid: str
    accent: str
    variant: str
    ridge: str
    other: str


LIGHT = Theme(
    paper="#ffffff",
    ink="#1b2430",
    muted="#5d6876",
    grid="#e3e7ec",
    accent="#0f6b78",
    variant="#5b8fc7",
    ridge="#d07a1f",
    other="#aab4c0",
)


def figure(width: float, height: float, theme: Theme) -> "Figure":
    """An empty figure, inches, without pyplot's global state."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(width, height), dpi=DPI, facecolor=theme.paper)
    drawing.set_layout_engine("constrained", h_pad=0.08, w_pad=0.08)
    return drawing


def literal(text: str) -> str:
    """The text as Matplotlib shows it sign by sign: unescaped, `$...$` is read as mathematics."""
    return text.replace("$", r"\$")


def panels_per_row(n: int) -> int:
    """How many of `n` panels stand side by side: up to three, four as two by two."""
    return 2 if n == 4 else min(n, 3)


def style(axes: "Axes", theme: Theme, title: str = "", grid: Literal["x", "y"] = "x") -> None:
    """Quiet axes: no box, a light grid along `grid`, the title set to the left."""
    axes.set_facecolor(theme.paper)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=theme.muted, labelcolor=theme.muted, length=0, labelsize=8)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color=theme.grid, linewidth=0.8)
    if title:
        axes.set_title(literal(title), loc="left", fontsize=9.5, color=theme.ink, fontweight="bold")


def stamp(drawing: "Figure", theme: Theme, text: str) -> None:
    """Writes `text` on the figure itself, for wherever it is copied to."""
    drawing.supxlabel(text, fontsize=8.5, color=theme.ridge, x=0.995, ha="right")


def png(drawing: "Figure", words: Words | None = None) -> bytes:
    """The figure as a PNG, its texts in the `words` of what was recorded."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if words:
        modality_words.figure(drawing, words)
    buffer = io.BytesIO()
    FigureCanvasAgg(drawing).print_png(buffer)
    return buffer.getvalue()


def legend_below(drawing: "Figure", theme: Theme, columns: int | None = None) -> None:
    """One legend under a figure, of what is labelled in any of its panels.

    Args:
        drawing: the figure.
        theme: its colours.
        columns: entries beside one another; None: all.
    """
    named: dict[str, Artist] = {}
    for axes in drawing.axes:
        handles, labels = axes.get_legend_handles_labels()
        named |= dict(zip(labels, handles, strict=True))
    drawing.legend(
        list(named.values()),
        list(named),
        loc="outside lower center",
        ncols=columns or len(named) or 1,
        frameon=False,
        fontsize=8,
        labelcolor=theme.muted,
    )
