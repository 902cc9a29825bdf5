"""The experiment files: every variant of a sweep can be run as it is written."""

import importlib.util
import pathlib

import pytest

from fmri_jax.errors import InputError
from fmri_jax.methods.local_decoders import Config
from fmri_jax.pipeline import experiment_files
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


def tasks_of(experiment: str) -> dict[str, dict]:
    """Variant -> config, each checked."""
    config = experiment_files.load(experiment).to_dict()
    return {task.variant: task.config for task in tasks(config, pathlib.Path("nowhere"))}


@pytest.mark.parametrize("variant", ["", ":tiny"])
def test_the_demo_runs_different_methods_on_the_same_trials(variant):
    found = tasks_of("demo" + variant)
    methods = [config["method"]["name"] for config in found.values()]
    assert methods[0] == "ridge" and len(set(methods)) == len(methods) >= 6
    shared = experiment_files.load("gan_vc" + variant).to_dict()
    for config in found.values():
        assert config["data"]["virtual_subject"] == shared["data"]["virtual_subject"]
        assert config["preparation"] == shared["preparation"]


def test_systems_stand_side_by_side_on_every_recording_they_apply_to():
    """Within a recording all rows decode the same images; together they are those of each."""
    together = tasks_of("systems")
    alone = {}
    for recording in ("simulated", "miyawaki", "object2vec", "macaque_v4"):
        found = tasks_of(f"systems:{recording}")
        methods = [config["method"]["name"] for config in found.values()]
        assert methods[0] == "ridge" and len(set(methods)) == len(methods) >= 3
        for part in ("data", "split", "average_repeats"):
            of = [
                {**config["preparation"], "data": config["data"]}[part] for config in found.values()
            ]
            assert all(each == of[0] for each in of), (recording, part)
        alone |= {(recording, name): config for name, config in found.items()}
    assert len(together) == len(alone)
    without_words = [
        {name: value for name, value in config.items() if name not in ("title", "text")}
        for configs in (together, alone)
        for config in configs.values()
    ]
    assert without_words[: len(alone)] == without_words[len(alone) :]
    with pytest.raises(InputError, match="no variant"):
        experiment_files.load("systems:nsd")


def test_a_bottleneck_narrows_any_experiment():
    for experiment in ("", ":gan_vc:tiny", ":ridge"):
        first, *others = tasks_of("bottleneck" + experiment).values()
        assert first["preparation"]["bottleneck"] is None
        widths = [config["preparation"]["bottleneck"] for config in others]
        assert widths == sorted(widths) and widths[0] == 1 and len(widths) >= 4
        assert all(config["method"] == first["method"] for config in others)


def test_regions_are_left_out_of_all_and_stand_alone():
    for experiment in ("brain_diffuser", "gan_object2vec", "feature_decoding:tiny"):
        found = tasks_of(f"regions:{experiment}")
        whole = found["All voxels"]["preparation"]["roi"]
        without = {name.removeprefix("Without ") for name in found if name.startswith("Without ")}
        assert {"LOC", "FFA", "PPA"} < without < set(found)
        for name in without:
            assert found[name]["preparation"]["roi"] == name
            assert found[f"Without {name}"]["preparation"]["roi"] == f"{whole} - {name}"
    with pytest.raises(InputError, match="does not know the regions"):
        experiment_files.load("regions:ridge")


def test_unlabelled_photographs_are_all_that_differs():
    for recording in ("object2vec", "macaque_v4", "simulated:gan_vc:refined"):
        none, some, many, wrong = tasks_of(f"unlabelled:{recording}").values()
        assert none["preparation"]["unlabelled"] is None
        photographs = some["preparation"]["unlabelled"]
        changes = (
            {"unlabelled": photographs},
            {"unlabelled": photographs, "n_unlabelled": 40_000},
            {"unlabelled": photographs, "unlabelled_model": "shuffled"},
        )
        for config, change in zip((some, many, wrong), changes, strict=True):
            assert config["preparation"] == {**none["preparation"], **change}
            assert {**config, "preparation": 0, "title": 0, "seed": 0} == {
                **none,
                "preparation": 0,
                "title": 0,
                "seed": 0,
            }
        assert some["preparation"]["unlabelled_features"] == "efficientnet_lite0"
    assert some["method"] == experiment_files.load("gan_vc:refined").method.to_dict()
    assert none["data"]["name"] == "virtual_subject"


@pytest.mark.parametrize("name", ["feature_decoding", "brain_diffuser", "ic_gan", "unlabelled"])
def test_spikes_are_called_spikes(name):
    """The file of macaque V4 does not say what was recorded."""
    assert experiment_files.load(f"{name}:macaque_v4").data.file.modality == "spikes"
