"""What each option of a dataclass is, from where its authors have written it down.

An option is explained by a comment behind it or above it, in the docstring's `Attributes`, or by
the metadata `help` of its field.
"""

import ast
import dataclasses
import inspect
import io
import re
import textwrap
import tokenize
import typing
from typing import Any

from fmri_jax.config import defaults

# Units by the words with which explanations give them, the first that is found.
_UNITS = {
    "px": r"\bpx\b|^pixels\b",
    "s": r"^s\b",
    "Hz": r"\bHz\b",
    "deg": r"\bdeg\b",
    "steps": r"^(training )?steps\b|^steps after which",
    "share": r"\bshares?\b",
    "voxels": r"^voxels\b",
    "images": r"^(distinct \w+ )?images\b",
    "trials": r"^trials (of each|per)\b",
}


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of a section.

    Attributes:
        name: as in an experiment file.
        kind: what it takes, in words.
        default: as the command line writes it.
        unit: of its value, "" where it has none.
        text: what it is.
    """

    name: str
    kind: str
    default: str
    unit: str
    text: str


def options_of(cls: type) -> list[Option]:
    """The options of a dataclass that a config file or the command line can set, in its order."""
    hints = typing.get_type_hints(cls, include_extras=True)
    known, comments, documented = defaults(cls), _comments(cls), _attributes(cls)
    found = []
    for field in dataclasses.fields(cls):
        if field.name not in known:
            continue
        text = field.metadata.get("help") or comments.get(field.name) or documented[field.name]
        unit = next((unit for unit, words in _UNITS.items() if re.search(words, text)), "")
        text = re.sub(r"^(s |px, |s, |Hz, |deg, )", "", text).rstrip(".")
        kind = kind_of(hints[field.name])
        found.append(Option(field.name, kind, written(field.default), unit, text))
    return found


def kind_of(hint: Any) -> str:
    """What a type hint admits, in words."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return kind_of(inside[0])
    if origin is typing.Literal:
        return ", ".join(inside[:-1]) + f" or {inside[-1]}" if len(inside) > 1 else str(inside[0])
    if hint is Any:
        return "value"
    if origin is tuple:
        return f"list, each a {kind_of(inside[0])}"
    if inside:  # a union
        kinds = [kind_of(each) for each in inside if each is not type(None)]
        return ", or ".join([*kinds, *(["nothing"] if type(None) in inside else [])])
    return {int: "whole number", float: "number", str: "text", bool: "True or False"}[hint]


def written(value: Any) -> str:
    """A value as it stands on the command line; "none" where it is left open."""
    if value is dataclasses.MISSING:
        return "needed"
    if value is None:
        return "none"
    if isinstance(value, (tuple, list)):
        return repr(tuple(value))
    return str(value) if value != "" else '""'


def _attributes(cls: type) -> dict[str, str]:
    """Name -> explanation, of the section `Attributes` of a docstring."""
    _, _, section = inspect.getdoc(cls).partition("Attributes:\n")  # type: ignore[union-attr]
    section = textwrap.dedent(section.split("\n\n")[0])
    parts = re.split(r"^(\w+(?:, \w+)*): ", section, flags=re.MULTILINE)[1:]
    found: dict[str, str] = {}
    for names, text in zip(parts[::2], parts[1::2], strict=True):
        found |= dict.fromkeys(names.split(", "), " ".join(text.split()))
    return found


def _comments(cls: type) -> dict[str, str]:
    """Name -> the comments that stand above a field, and on its lines."""
    source = textwrap.dedent(inspect.getsource(cls))
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    of_line = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    lines = source.splitlines()
    found: dict[str, str] = {}
    (tree,) = ast.parse(source).body
    for node in typing.cast(ast.ClassDef, tree).body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        first = node.lineno
        while first - 1 in of_line and lines[first - 2].lstrip().startswith("#"):
            first -= 1
        last = node.end_lineno or node.lineno
        texts = [of_line[n] for n in range(first, last + 1) if n in of_line]
        if texts:
            found[node.target.id] = " ".join(texts)
    return found
