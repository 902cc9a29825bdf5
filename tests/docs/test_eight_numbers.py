"""The page names every network's option and the address that the package itself downloads from."""

import dataclasses
from pathlib import Path

from fmri_jax.evaluation.eight_numbers import COMPARISONS
from fmri_jax.evaluation.scores import EvaluationConfig
from fmri_jax.pretrained.feature_networks import FEATURE_NETWORKS

PAGE = (Path(__file__).parents[2] / "docs" / "eight_numbers.md").read_text()


def test_options_and_addresses_are_the_packages_own():
    options = [field.name for field in dataclasses.fields(EvaluationConfig)]
    weights = [name for name in options if name.endswith("_weights")]
    assert len(weights) == 4 and all(f"`{name}`" in PAGE for name in weights)
    for name in COMPARISONS.keys() & FEATURE_NETWORKS.keys():
        assert FEATURE_NETWORKS[name].publications[0].origin in PAGE
