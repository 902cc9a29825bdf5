"""Sections of a config become dataclasses, and every mistake becomes one sentence."""

import dataclasses
from collections.abc import Callable
from typing import Literal

import pytest
from ml_collections import ConfigDict

from fmri_jax.config import OptionalFloat, OptionalInt, OptionalStr, defaults, section
from fmri_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Options:
    n_steps: int = 3
    rate: float = 0.1
    update: Literal["both", "one"] = "both"
    layers: tuple[str, ...] = ("relu5",)
    limit: int | None = None
    fast: bool = False
    scales: tuple[int | tuple[int, int], ...] = (2,)
    size: int | Literal["auto"] | None = None


@dataclasses.dataclass(frozen=True)
class Open:
    size: OptionalInt = None
    alpha: OptionalFloat = None
    file: OptionalStr = None
    call: Callable[[], int] | None = None
    seed: int = 0
    update: Literal["both", "one"] | None = None


@pytest.mark.parametrize("values", [{}, {"size": None}, {"size": 0, "alpha": 0.0, "file": ""}])
def test_what_earlier_versions_wrote_for_none_is_none(values):
    assert section(Open, values, "config") == Open()
    assert section(Open, {**values, "seed": 0}, "config").seed == 0


def test_options_that_are_left_open_can_be_given():
    given = {"size": 3, "alpha": 2, "file": "a.npz"}
    assert section(Open, given, "config") == Open(3, 2.0, "a.npz")
    for wrong in ({"size": False}, {"size": "3"}, {"file": 0}):
        with pytest.raises(InputError, match="expected (int|str)"):
            section(Open, wrong, "config")


def test_defaults_can_be_overridden_with_their_own_type_alone():
    config = ConfigDict(defaults(Open))
    assert config.to_dict() == {
        "size": None,
        "alpha": None,
        "file": None,
        "seed": 0,
        "update": None,
    }
    config.size, config.alpha, config.file = 3, 0.5, "a.npz"
    assert section(Open, config.to_dict(), "config") == Open(3, 0.5, "a.npz")
    with pytest.raises(TypeError):
        config.size = "large"


def test_values_replace_defaults():
    options = section(Options, {"rate": 1, "layers": ["a", "b"], "limit": 4}, "config.method")
    assert options == Options(rate=1.0, layers=("a", "b"), limit=4)
    assert section(Options, {"limit": None}, "config").limit is None


def test_any_member_of_a_union_is_taken():
    """A list read from JSON or the command line becomes a tuple, also inside another."""
    options = section(Options, {"scales": [1, [1, 2], (2, 2)], "size": "auto"}, "config.method")
    assert options.scales == (1, (1, 2), (2, 2)) and options.size == "auto"
    assert section(Options, {"size": 3}, "config").size == 3


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"n_step": 3}, "config.method.n_step is not a known option: did you mean 'n_steps'"),
        ({"n_steps": 2.5}, r"config.method.n_steps is 2.5 \(float\): expected int"),
        ({"n_steps": True}, r"config.method.n_steps is True \(bool\): expected int"),
        ({"update": "bth"}, "config.method.update='bth' is not a known value: did you mean 'both'"),
        ({"layers": "relu5"}, "config.method.layers is 'relu5': expected a list of values"),
        ({"layers": (1,)}, r"config.method.layers\[0\] is 1 \(int\): expected str"),
        ({"fast": 1}, r"config.method.fast is 1 \(int\): expected bool"),
        ({"limit": 2.5}, r"config.method.limit is 2.5 \(float\): expected int"),
        ({"size": "all"}, r"config.method.size is 'all' \(str\): expected int or .*'auto'"),
        ({"scales": (2.5,)}, r"scales\[0\] is 2.5 \(float\): expected int or \(int, int\)"),
        ({"scales": ((1, 2, 3),)}, r"scales\[0\] is \(1, 2, 3\) .*expected int or \(int, int\)"),
    ],
)
def test_mistakes_are_named(values, sentence):
    with pytest.raises(InputError, match=sentence):
        section(Options, values, "config.method")
