"""Porting is strict: nothing is left over, nothing stays empty, nothing is filled twice."""

import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.pretrained.rules import Rule, flatten, from_oihw, port, unflatten, vector

RULES = (
    Rule(r"features\.(\d)\.weight", r"conv\1/kernel", from_oihw),
    Rule(r"features\.(\d)\.bias", r"conv\1/bias", vector),
    Rule(r"classifier\..*", None),
)
SHAPES = {"conv0/kernel": (3, 3, 2, 4), "conv0/bias": (4,)}


def source(**changes):
    arrays = {
        "features.0.weight": np.random.default_rng(0).normal(size=(4, 2, 3, 3)),
        "features.0.bias": np.ones((1, 4)),
        "classifier.1.weight": np.ones((10, 10)),
    }
    arrays |= {name.replace("__", "."): value for name, value in changes.items()}
    return {name: value for name, value in arrays.items() if value is not None}


def test_arrays_find_their_places_and_layouts():
    arrays = source()
    ported = port(arrays, RULES, SHAPES, "w.pth")
    assert {name: value.shape for name, value in ported.items()} == SHAPES
    assert {value.dtype for value in ported.values()} == {np.dtype(np.float32)}
    expected = arrays["features.0.weight"][1, 0, 2, 1]
    assert ported["conv0/kernel"][2, 1, 0, 1] == np.float32(expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": np.ones(3)}, "holds 'extra', which no rule maps"),
        ({"features__7__bias": np.ones(4)}, "maps 'features.7.bias' to 'conv7/bias', which does"),
        ({"features__0__bias": None}, "leaves conv0/bias empty"),
        ({"features__0__bias": np.ones(5)}, r"gives 'conv0/bias' shape \(5,\), not \(4,\)"),
        ({"features__0__weight": np.ones(4)}, "gives 'conv0/kernel' what does not fit"),
        ({"features__0__bias": "text"}, "gives 'conv0/bias' what does not fit"),
        ({"features__0__bias": np.full(4, np.nan)}, "values that are not finite"),
    ],
)
def test_what_does_not_fit_is_rejected(changes, message):
    with pytest.raises(InputError, match=message):
        port(source(**changes), RULES, SHAPES, "w.pth")


def test_a_place_is_not_filled_twice():
    rules = (Rule("a|b", "conv0/bias"),)
    with pytest.raises(InputError, match="maps 'b' to 'conv0/bias', which is filled already"):
        port({"a": np.ones(4), "b": np.ones(4)}, rules, {"conv0/bias": (4,)}, "w.pth")


def test_trees_and_flat_names_are_inverse():
    tree = {"conv1": {"kernel": 1, "bias": 2}, "fc": {"kernel": 3}}
    assert flatten(tree) == {"conv1/kernel": 1, "conv1/bias": 2, "fc/kernel": 3}
    assert unflatten(flatten(tree)) == tree
