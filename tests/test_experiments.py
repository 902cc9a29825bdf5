"""The experiment files: every variant of a sweep can be run as it is written."""

import importlib.util
import pathlib

import pytest

from fmri_jax.methods.local_decoders import Config
from fmri_jax.pipeline.sweep import tasks

EXPERIMENTS = pathlib.Path(__file__).parents[1] / "experiments"


def load(name: str):
    path = EXPERIMENTS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> dict[str, Config]:
    """Options of each variant of the local decoders' table, by name."""
    todo = tasks(load("local_decoders_table").to_dict(), tmp_path_factory.mktemp("table"))
    options = {task.variant: dict(task.config["method"]) for task in todo}
    assert all(of.pop("name") == "local_decoders" for of in options.values())
    return {name: Config(**of) for name, of in options.items()}


def test_the_table_s_first_variant_is_nilearn_s_example(table):
    first = next(iter(table.values()))
    assert (first.scales, first.decoder, first.weights) == ((2,), "omp", "equal")
    assert (first.n_voxels, first.n_nonzero, first.select) == (500, 10, "fixed")
