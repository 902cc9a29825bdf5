"""The reference of options, against dataclasses whose documentation is known, and all of ours."""

import dataclasses
import pkgutil
from typing import Literal

from fmri_jax import methods
from fmri_jax.commands import run
from fmri_jax.config import OptionalInt
from fmri_jax.pipeline import option_docs, option_reference
from fmri_jax.pipeline.experiment_config import default_config


@dataclasses.dataclass(frozen=True)
class Documented:
    """Every way in which an option is explained.

    Attributes:
        in_docstring, beside: Adam's, for
            all networks.
        size: px; the comment wins.
    """

    in_docstring: float = 0.1
    beside: float = 0.2
    size: OptionalInt = None  # px, side of the square
    # Above the field,
    # in two lines.
    above: tuple[str, ...] = ("a", "b")
    broken: Literal["mean", "glm"] = "mean"  # inside brackets
    with_help: bool = dataclasses.field(default=True, metadata={"help": "s from an onset"})
    a_function: type | None = None  # which no command line can give


def test_each_way_of_explaining_is_read():
    found = {option.name: option for option in option_docs.options_of(Documented)}
    assert found["in_docstring"].text == found["beside"].text == "Adam's, for all networks"
    size = found["size"]
    assert (size.kind, size.default, size.unit) == ("whole number, or nothing", "none", "px")
    assert size.text == "side of the square"
    assert found["above"].text == "Above the field, in two lines"
    assert (found["above"].kind, found["above"].default) == ("list, each a text", "('a', 'b')")
    assert (found["broken"].kind, found["broken"].text) == ("mean or glm", "inside brackets")
    assert (found["with_help"].unit, found["with_help"].text) == ("s", "from an onset")
    assert "a_function" not in found


def test_every_option_of_every_experiment_is_explained():
    sections = option_reference.sections()
    assert all(option.text and option.kind for part in sections for option in part.options)
    config = default_config("gan", "virtual_subject").to_dict()
    for name in ("preparation", "evaluation", "method"):
        part = next(p for p in sections if _is(p, name))
        assert {option.name for option in part.options} == set(config[name]) - {"name"}
    text = option_reference.markdown()
    assert "| `image_size` | whole number | `64` | px | side of the images" in text
    assert text.count("\n## Method ") == len(experiment_methods())
    assert "| `variants` | list, each a list, each a value | `needed` |" in text


def experiment_methods() -> list[str]:
    return [each.name for each in pkgutil.iter_modules(methods.__path__) if each.ispkg]


def _is(part, name: str) -> bool:
    return part.name == f"config.{name}" and (name != "method" or part.title == "Method gan")


def test_help_of_an_experiment_shows_its_own_values(capsys):
    assert run.main(["gan_vc:tiny", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--config.method.n_steps=6\n      whole number, or nothing; none by default" in said
    assert "--config.preparation.roi=VC\n      text; all by default" in said
    assert "--config.data.virtual_subject.n_test=12" in said
    assert run.main(["--help"]) == 0
    assert "also lists every option" in capsys.readouterr().out
