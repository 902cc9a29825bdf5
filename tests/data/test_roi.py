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
    ("expression", "message"),
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
def test_what_cannot_be_read_is_rejected(expression: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        select(expression)


BITS = {  # regions of six voxels whose names hold what expressions give a meaning to
    "lh": "111000",
    "V1": "100100",
    "lh-V1": "000001",
    "hemi-L_label-V1_mask": "010000",
    "hemi-R_label-V1_mask": "001000",
    "left V1": "000010",
    "V1 (left)": "100001",
    "V1+V2": "110000",
    "A&B": "011000",
    "p=0.05": "001100",
    "rh-V1": "000110",
    "Région-1": "111100",
    "V1'": "000011",
    "#2": "010001",
}


def named(expression: str) -> str:
    masks = {name: np.asarray([bit == "1" for bit in bits]) for name, bits in BITS.items()}
    found = roi.select(expression, lambda name, value: roi.match(name, value, masks), list(masks))
    return "".join(str(int(voxel)) for voxel in found)


@pytest.mark.parametrize("name", BITS)
def test_an_expression_that_is_a_regions_name_is_that_region(name: str) -> None:
    assert named(name) == named(f"  {name} ") == BITS[name]
    quoted = f"'{name}'" if "'" not in name else f'"{name}"'
    assert named(quoted) == named(f"({quoted})") == BITS[name]


@pytest.mark.parametrize(
    ("expression", "right"),
    [
        ("hemi-L_label-V1_mask + hemi-R_label-V1_mask", "011000"),
        ("hemi-L_label-V1_mask+hemi-R_label-V1_mask", "011000"),
        ("lh - hemi-L_label-V1_mask", "101000"),
        ("lh-hemi-L_label-V1_mask", "101000"),
        ("hemi-*_label-V1_mask", "011000"),
        ("hemi-L* + V1", "110100"),
        ("hemi-*", "011000"),
        ("lh - V1", "011000"),
        ("left V1 + V1", "100110"),
        ("V1 (left) & lh", "100000"),
        ("(left V1)", "000010"),
        ("rh-V1 - V1", "000010"),
        ("V1 + rh-V1", "100110"),
        ("p=0.05 & lh", "001000"),
        ("#2 + V1", "110101"),
        ("V1 = 1", "100100"),
        ("Re\u0301gion-1 - lh", "000100"),
        ("lh + 'lh-V1'", "111001"),
    ],
)
def test_names_with_operators_within_expressions(expression: str, right: str) -> None:
    assert named(expression) == right


@pytest.mark.parametrize("expression", ["lh-V1 + V1", "(lh-V1)", "V1 & lh-V1", "lh-V* + lh"])
def test_what_may_be_a_name_or_an_operation_asks_for_quotes(expression: str) -> None:
    with pytest.raises(InputError, match="name of a region and, taken apart, .* in quotes or sp"):
        named(expression)


def test_an_unknown_name_lists_those_that_need_quotes_in_quotes() -> None:
    with pytest.raises(InputError, match=r"choose among V1, lh, .*'lh-V1'.* is written in quotes"):
        named("hemi-X_label-V1_mask")
