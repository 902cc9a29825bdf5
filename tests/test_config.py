"""Sections of a config become dataclasses, and every mistake becomes one sentence."""

import dataclasses
from typing import Literal

import pytest

from fmri_jax.config import section
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
