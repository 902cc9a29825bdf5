"""Numbers, lists and durations inside a sentence."""

from collections.abc import Sequence
from typing import Any

from fmri_jax.errors import plain


def count(number: Any, noun: str, plural: str = "") -> str:
    """`1 image`, `1,200 images`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def joined(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def shortened(names: Sequence[str], most: int) -> list[str]:
    """Names of at most `most` signs that keep their end, where numbered names differ.

    The middle of a longer name gives way to an ellipsis, unless another name would then read the
    same: that one stays complete.
    """
    tail = most * 2 // 3
    head = most - 1 - tail
    short = [
        name if len(name) <= most else f"{name[:head]}…{name[-tail:]}" for name in map(str, names)
    ]
    meant: dict[str, set[str]] = {}
    for name, cut in zip(names, short, strict=True):
        meant.setdefault(cut, set()).add(name)
    return [cut if len(meant[cut]) == 1 else name for name, cut in zip(names, short, strict=True)]


def capitalised(text: str) -> str:
    """The text as the beginning of a sentence, all other letters as they are."""
    return text[:1].upper() + text[1:]


def p_text(p: float) -> str:
    """A p-value as it is printed; 1,000 permutations do not tell apart what lies below .001."""
    return "p ≤ 0.001" if p < 0.0015 else f"p = {p:.3f}"


def duration(seconds: float) -> str:
    """Seconds in the units that a person would choose."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def csv_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula, as one that begins with = may be."""
    found = plain(text)
    return f"'{found}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else found
