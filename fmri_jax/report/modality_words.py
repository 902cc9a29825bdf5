"""Pages and figures in the words of what was recorded: no voxels of fMRI where spikes were."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Words = Callable[[str], str]

# What users wrote stays as it is, as do commands and configs: in these elements, and marked ones.
_VERBATIM = ("pre", "code", "style", "script")
_MARK = "data-verbatim"
_TAG = re.compile(r"<(/?)(\w+)([^<>]*)>")
_SHOWN = re.compile(r'(\b(?:title|alt)=")([^"]*)(")')


def page(html: str, words: Words) -> str:
    """A page with its texts in other words.

    Args:
        html: the page, in which every text is escaped.
        words: a text of this package -> the same of another modality.
    """
    found, place, skipped, depth = [], 0, "", 0
    for tag in _TAG.finditer(html):
        text = html[place : tag.start()]
        found.append(text if skipped else words(text))
        closing, name, attributes = tag.groups()
        if skipped:
            depth += (-1 if closing else 1) * (name == skipped)
            skipped = skipped if depth else ""
        elif not closing and (name in _VERBATIM or _MARK in attributes):
            skipped, depth = name, 1
        verbatim = bool(skipped) or _MARK in attributes
        found.append(tag[0] if verbatim else _SHOWN.sub(_attribute(words), tag[0]))
        place = tag.end()
    return "".join([*found, words(html[place:])])


def _attribute(words: Words) -> Callable[[re.Match[str]], str]:
    return lambda match: match[1] + words(match[2]) + match[3]


def figure(drawing: "Figure", words: Words) -> None:
    """Puts every text of a figure in other words, those of its ticks among them."""
    from matplotlib.text import Text

    for axes in drawing.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if (others := [words(label) for label in labels]) != labels:
                axis.set_ticks(axis.get_ticklocs(), others)  # else the next drawing undoes it
    for text in drawing.findobj(Text):
        text.set_text(words(text.get_text()))
