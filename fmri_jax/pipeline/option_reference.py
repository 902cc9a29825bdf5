"""Every option of an experiment: for the documentation, and for `fmri-jax run NAME --help`."""

import dataclasses
import importlib
import pkgutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from fmri_jax import methods
from fmri_jax.data import known as known_recordings
from fmri_jax.data.preparation.folds import PreparationConfig
from fmri_jax.evaluation.scores import EvaluationConfig
from fmri_jax.pipeline.option_docs import Option, options_of, written

_OWN = (
    Option("title", "text", '""', "", "heading of the page"),
    Option("text", "text", '""', "", "a line or two below it: what is tried, after whom"),
    Option("seed", "whole number", "0", "", "of every random draw of a fit"),
    Option("n_devices", "whole number, or nothing", "none", "", "devices to use; none: all"),
    Option("data.name", "text", '""', "", "the recording: `file`, or one of those below"),
    Option("data.path", "text, or nothing", "none", "", "of a recording's file or folder"),
    Option("method.name", "text", '""', "", "the method: one of those below"),
)


@dataclasses.dataclass(frozen=True)
class Section:
    """Options that stand together.

    Attributes:
        name: dotted, as on the command line: "config.preparation".
        title: of the section.
        acts: where its options act, and what a change of them costs.
        options: in their order.
    """

    name: str
    title: str
    acts: str
    options: tuple[Option, ...]


def sections() -> list[Section]:
    """Those of every experiment, then of every recording, then of every method."""
    from fmri_jax.pipeline.sweep import SweepConfig  # imports all that a run needs

    found = general()
    for name in dict.fromkeys(["file", "virtual_subject", *sorted(known_recordings())]):
        found += recording(name)
    found.append(
        _section(
            SweepConfig,
            "config.sweep",
            "Sweeps",
            "Set in an experiment file, not on the command line. Each variant with each seed is a "
            "run of its own; the page compares them.",
        )
    )
    kinds = [module.name for module in pkgutil.iter_modules(methods.__path__) if module.ispkg]
    return found + [method(name) for name in kinds]


def general() -> list[Section]:
    """The options that every experiment has."""
    return [
        Section(
            "config",
            "Every experiment",
            "Title and text act on the page alone; the seed and devices on every fit; the names "
            "choose what is read and what is fitted.",
            _OWN,
        ),
        _section(
            PreparationConfig,
            "config.preparation",
            "Splitting and preparation",
            "Between reading and the fit of each fold. Another value is another run.",
        ),
        _section(
            EvaluationConfig,
            "config.evaluation",
            "Scores",
            "After the fits. With another value finished folds are scored again; nothing is "
            "trained.",
        ),
    ]


def recording(name: str) -> list[Section]:
    """The options of one recording's reader; nothing where it takes none."""
    readers = known_recordings()
    if name not in readers:
        return []
    options = getattr(importlib.import_module(readers[name]), "Config", None)
    where = "While the recording is read. Another value is another recording, and another run."
    return [_section(options, f"config.data.{name}", f"Recording {name}", where)] if options else []


def method(name: str) -> Section:
    """The options of one method."""
    where = (
        "In the fit of each fold, and in what the fitted model makes. Another value is another run."
    )
    return _section(methods.package(name).Config, "config.method", f"Method {name}", where)


def _section(cls: type, name: str, title: str, acts: str) -> Section:
    return Section(name, title, acts, tuple(options_of(cls)))


def markdown() -> str:
    """The tables of all sections, for the documentation."""
    parts = []
    for section in sections():
        rows = [
            f"| `{o.name}` | {_cell(o.kind)} | `{_cell(o.default)}` | {o.unit} | {_cell(o.text)} |"
            for o in section.options
        ]
        head = ["| option | takes | default | unit | what it is |", "|---|---|---|---|---|"]
        parts.append(
            "\n".join([f"## {section.title}", "", f"`{section.name}`. {section.acts}", ""])
            + "\n".join(["", *head, *rows])
        )
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def of_experiment(config: Mapping[str, Any]) -> str:
    """Every option of an experiment with its value there, for a terminal.

    Args:
        config: as the experiment's file returns it, as a plain dict.
    """
    data, chosen = config.get("data", {}), config.get("method", {})
    name = str(data.get("name", ""))
    parts = general()
    parts += [part for reader in dict.fromkeys([name, "file"]) for part in recording(reader)]
    if chosen.get("name"):
        parts.append(method(str(chosen["name"])))
    values = {
        "config": {**config, "data.name": name, "data.path": data.get("path")}
        | {"method.name": chosen.get("name", "")},
        "config.preparation": config.get("preparation", {}),
        "config.evaluation": config.get("evaluation", {}),
        "config.method": chosen,
        **{f"config.data.{reader}": data.get(reader, {}) for reader in (name, "file")},
    }
    lines = ["Options of this experiment, as it sets them:"]
    for part in parts:
        lines += ["", *textwrap.wrap(f"{part.title}. {part.acts}", 98), *_lines(part, values)]
    return "\n".join(lines)


def _lines(section: Section, values: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Two or more lines for each option of a section."""
    for option in section.options:
        value = values[section.name].get(option.name)
        shown = written(value) if option.name in values[section.name] else option.default
        short = shown if len(shown) <= 60 else f"{shown[:57]}..."
        yield f"  --{section.name}.{option.name}={short}"
        default = "" if shown == option.default else f"; {option.default} by default"
        unit = f" in {option.unit}" if option.unit in ("px", "s", "Hz", "deg") else ""
        text = f"{option.kind}{unit}{default}: {option.text}"
        yield from textwrap.wrap(text, 92, initial_indent=" " * 6, subsequent_indent=" " * 6)
