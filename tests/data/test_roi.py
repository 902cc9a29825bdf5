import random

import numpy as np
import pytest

from fmri_jax.data import roi
from fmri_jax.errors import InputError

VOXELS = 40
NAMES = ["V1", "V2", "V3", "LOC", "FFA"]
MASKS = {name: np.random.default_rng(i).random(VOXELS) < 0.5 for i, name in enumerate(NAMES)}


def select(expression: str) -> np.ndarray:
    return roi.select(expression, lambda name, value: roi.match(name, value, MASKS))


def random_expression(rng: random.Random, depth: int) -> str:
    """An expression with random operators, spaces and parentheses."""
    parts = []
    for _ in range(rng.randint(1, 4)):
        nested = depth and rng.random() < 0.5
        part = f"({random_expression(rng, depth - 1)})" if nested else rng.choice(NAMES)
        parts += [part, rng.choice(["+", "|", "-", "&", " + ", " & ", " - "])]
    return "".join(parts[:-1])


@pytest.mark.parametrize("seed", range(60))
def test_random_expressions_equal_an_evaluation_over_sets(seed: int) -> None:
    expression = random_expression(random.Random(seed), depth=3)
    sets = {name: set(np.flatnonzero(mask).tolist()) for name, mask in MASKS.items()}
    expected = evaluate_over_sets(expression.replace(" ", ""), sets)
    np.testing.assert_array_equal(np.flatnonzero(select(expression)), sorted(expected))


def evaluate_over_sets(expression: str, sets: dict[str, set[int]]) -> set[int]:
    """An independent evaluation: innermost parentheses first, then "&", then the rest."""
    sets = dict(sets)
    while "(" in expression:
        start = expression.rindex("(")
        end = expression.index(")", start)
        name = f"inner{len(sets)}"
        sets[name] = evaluate_over_sets(expression[start + 1 : end], sets)
        expression = expression[:start] + name + expression[end + 1 :]
    for operator in "+|-":
        expression = expression.replace(operator, f" {operator} ")
    result: set[int] = set()
    operator = "+"
    for word in expression.split():
        if word in "+|-":
            operator = word
        else:
            product = set.intersection(*(sets[name] for name in word.split("&")))
            result = result - product if operator == "-" else result | product
    return result


def test_precedence_and_association() -> None:
    v1, v2, v3 = MASKS["V1"], MASKS["V2"], MASKS["V3"]
    np.testing.assert_array_equal(select("V1 + V2 & V3"), v1 | (v2 & v3))
    np.testing.assert_array_equal(select("V1 - V2 - V3"), v1 & ~v2 & ~v3)
    np.testing.assert_array_equal(select("V1 - (V2 - V3)"), v1 & ~(v2 & ~v3))


def test_wildcards_unite_what_they_match() -> None:
    union = MASKS["V1"] | MASKS["V2"] | MASKS["V3"]
    np.testing.assert_array_equal(select("V*"), union)
    np.testing.assert_array_equal(select("V* & V1"), MASKS["V1"])


def test_a_value_may_be_asked_for() -> None:
    np.testing.assert_array_equal(select("V1 = 1 & V2=1"), MASKS["V1"] & MASKS["V2"])
    np.testing.assert_array_equal(select("V1 = 0"), ~MASKS["V1"])


def test_quotes_allow_any_name() -> None:
    masks = {"hV4-left [old]": MASKS["V1"], "hV4": MASKS["V2"]}
    mask = roi.select("'hV4-left [old]' + hV4", lambda name, value: roi.match(name, value, masks))
    np.testing.assert_array_equal(mask, MASKS["V1"] | MASKS["V2"])


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("V9", "ROI 'V9' does not exist in this recording: choose among FFA, LOC, V1, V2, V3."),
        ("W*", "ROI 'W\\*' does not exist"),
        ("V1 +", "a name is missing"),
        ("V1 V2", "did not expect 'V2'"),
        ("V1 ++ V2", "expected a name before '\\+'"),
        ("(V1 + V2", "a parenthesis is not closed"),
        ("V1 + V2)", "did not expect '\\)'"),
        ("V1 % V2", "cannot read '% V2'"),
        ("V1 = V2", "expected a number after '=' instead of 'V2'"),
        ("V1 =", "expected a number after '='"),
        ("= 1", "expected a name before '='"),
        ("()", "expected a name before '\\)'"),
    ],
)
def test_what_cannot_be_read_is_refused(expression: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        select(expression)
