"""A sweep end to end: variants side by side, resumed, in processes, as an array, and refused."""

import copy
import csv
import dataclasses
import importlib
import json
import pathlib
import re
import shutil

import pytest

from fmri_jax.data import paths
from fmri_jax.errors import InputError
from fmri_jax.files import locked
from fmri_jax.pipeline import sweep
from fmri_jax.pipeline.executors import executor, is_elsewhere
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.sweep import merge, run_sweep, run_task, tasks
from tests.blank_figures import Undrawn


def base_config(miyawaki: pathlib.Path) -> dict:
    """Local decoders of the real recording in two folds: a run takes about a second."""
    config = default_config("local_decoders", "file").to_dict()
    config["title"], config["n_devices"] = "Regions", 1
    config["data"]["path"] = str(miyawaki)
    config["preparation"] |= {"split": "stimulus", "n_folds": 2, "average_repeats": "none"}
    config["method"] |= {"scales": (1,), "decoder": "ridge", "alpha": 100.0}
    config["evaluation"] |= {"n_bootstrap": 20, "perceptual": False}
    return config


def swept(miyawaki: pathlib.Path, **sweep) -> dict:
    variants = (
        ("V1", {}),
        ("Noise instead of fMRI", {"preparation": {"fmri": "noise"}}),
        ("V1, strong penalty", {"method": {"alpha": 1e4}}),
    )
    hypotheses = (("V1", "Noise instead of fMRI", "accuracy", "It decodes."),)
    return base_config(miyawaki) | {
        "sweep": {"variants": variants, "hypotheses": hypotheses} | sweep
    }


@pytest.fixture(scope="module")
def miyawaki(recordings) -> pathlib.Path:
    return recordings / "miyawaki2008_s1_v1_figures.npz"


@pytest.fixture(scope="module")
def finished(miyawaki, tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("sweeps") / "regions"
    page = run_sweep(swept(miyawaki), folder, executor(1, "", folder), progress=False)
    assert page == folder / "comparison.html"
    return folder


def test_a_sweep_leaves_a_run_for_each_variant_and_one_table(finished):
    folders = {path.name for path in finished.iterdir()}
    assert folders >= {"v1", "noise_instead_of_fmri", "v1_strong_penalty", "comparison.csv"}
    config = json.loads((finished / "v1_strong_penalty" / "seed_0" / "config.json").read_text())
    assert config["method"]["alpha"] == 1e4 and config["title"] == "Regions: V1, strong penalty"
    with (finished / "comparison.csv").open() as stream:
        table = {
            (row["variant"], row["metric"]): row
            for row in csv.DictReader(stream)
            if row["set"] == "test"
        }
    decoded = float(table["V1", "accuracy"]["value"])
    noise = table["Noise instead of fMRI", "accuracy"]
    assert decoded > float(noise["value"]) + 0.05 and float(noise["p"]) < 0.05
    scores = json.loads((finished / "v1" / "seed_0" / "scores.json").read_text())
    assert decoded == pytest.approx(scores["sets"]["test"]["accuracy"]["value"])
    page = (finished / "comparison.html").read_text()
    assert "It decodes." in page
    caution = (
        "Noise instead of fMRI: All fMRI was replaced by random numbers: nothing here was decoded."
    )
    assert caution in " ".join(re.sub(r"<[^>]+>", "", page).split())
    noise = (finished / "noise_instead_of_fmri" / "seed_0" / "report.html").read_text()
    assert "nothing here was decoded" in noise


def test_finished_runs_are_kept_and_new_variants_added(miyawaki, finished):
    before = (finished / "v1" / "seed_0" / "scores.json").stat().st_mtime_ns
    config = swept(miyawaki)
    config["sweep"]["variants"] += (("V1, weak penalty", {"method": {"alpha": 10.0}}),)
    run_sweep(config, finished, executor(1, "", finished), progress=False)
    assert (finished / "v1" / "seed_0" / "scores.json").stat().st_mtime_ns == before
    assert "V1, weak penalty" in (finished / "comparison.md").read_text()


def first_only(todo):
    run_task(todo[0])
    raise KeyboardInterrupt


def is_kept(folder: pathlib.Path, before: pathlib.Path) -> list[bool]:
    """Of each run, whether its scores are those that were there before."""
    files = sorted(folder.glob("*/seed_0/scores.json"))
    times = [(before / path.relative_to(folder)).stat().st_mtime_ns for path in files]
    return [path.stat().st_mtime_ns == time for path, time in zip(files, times, strict=True)]


@pytest.mark.parametrize("rescore", [False, True])
def test_every_variant_is_scored_again_however_often_the_sweep_is_killed(
    miyawaki, finished, tmp_path, rescore
):
    config, before, folder = swept(miyawaki), tmp_path / "before", tmp_path / "sweep"
    for name in ("v1", "v1_strong_penalty"):
        shutil.copytree(finished / name, folder / name)
    config["sweep"]["variants"], config["sweep"]["hypotheses"] = (
        config["sweep"]["variants"][::2],
        (),
    )
    execute = executor(1, "", folder)
    run_sweep(config, folder, execute, progress=False)
    shutil.copytree(folder, before)  # with its times
    if not rescore:
        config["title"], config["evaluation"]["n_bootstrap"] = "Other scores", 30
    with pytest.raises(KeyboardInterrupt):
        run_sweep(config, folder, first_only, progress=False, rescore=rescore)
    assert is_kept(folder, before) == [False, True]
    assert not list(folder.glob("comparison.*"))  # of runs that no longer belong together
    run_sweep(config, folder, execute, progress=False)
    assert is_kept(folder, before) == [False, False]
    assert config["title"] in (folder / "comparison.html").read_text()
    for path in folder.rglob("folds/*.npz"):
        assert (before / path.relative_to(folder)).stat().st_mtime_ns == path.stat().st_mtime_ns


def test_a_sweep_that_cannot_be_scored_again_can_still_be_compared(miyawaki, tmp_path):
    path = shutil.copy(miyawaki, tmp_path)
    config, folder = swept(pathlib.Path(path), hypotheses=()), tmp_path / "sweep"
    config["sweep"]["variants"] = config["sweep"]["variants"][:1]
    execute = executor(1, "", folder)
    run_sweep(config, folder, execute, progress=False)
    pathlib.Path(path).unlink()
    with pytest.raises(InputError, match="does not exist"):
        run_sweep(config, folder, execute, progress=False, rescore=True)
    assert run_sweep(config, folder, execute, progress=False).exists()


def test_another_process_gives_the_same_numbers(miyawaki, finished, tmp_path):
    """Of an array of this machine; `test_executors.py` has processes of our own."""
    config = swept(miyawaki, hypotheses=())
    config["sweep"]["variants"] = config["sweep"]["variants"][:1]
    execute = executor(1, "cluster=local timeout_min=5", tmp_path)

    def undrawn(todo):
        return execute([dataclasses.replace(x, config=Undrawn(x.config)) for x in todo])

    run_sweep(config, tmp_path, undrawn, progress=False)
    here, there = (
        json.loads((folder / "v1/seed_0/scores.json").read_text())["sets"]["test"]
        for folder in (finished, tmp_path)
    )
    assert here["accuracy"]["value"] == pytest.approx(there["accuracy"]["value"], abs=2e-3)


def test_a_run_that_another_process_is_at_work_on_is_left_to_it(miyawaki, tmp_path):
    config = swept(miyawaki, hypotheses=())
    config["sweep"]["variants"] = config["sweep"]["variants"][:1]
    folder = tmp_path / "v1" / "seed_0"
    folder.mkdir(parents=True)
    with locked(folder / ".lock"), pytest.raises(InputError, match=f"{folder} is in use by"):
        run_sweep(config, tmp_path, executor(1, "", tmp_path), progress=False)
    assert not list(folder.iterdir())
    run_sweep(config, tmp_path, executor(1, "", tmp_path), progress=False)
    assert (folder / "report.html").exists() and not list(tmp_path.rglob(".lock"))


def test_several_seeds_make_one_row(miyawaki, finished, tmp_path):
    config = swept(miyawaki, hypotheses=())
    config["sweep"]["variants"] = config["sweep"]["variants"][:1]
    shutil.copytree(finished / "v1", tmp_path / "v1")
    before = (tmp_path / "v1" / "seed_0" / "scores.json").stat().st_mtime_ns
    config["sweep"]["seeds"] = (0, 1)
    run_sweep(config, tmp_path, executor(1, "", tmp_path), progress=False)
    assert (tmp_path / "v1" / "seed_0" / "scores.json").stat().st_mtime_ns == before
    assert {path.name for path in (tmp_path / "v1").iterdir()} == {"seed_0", "seed_1"}
    table = (tmp_path / "comparison.md").read_text().splitlines()
    assert len([line for line in table if line.startswith("| V1")]) == 1


def test_one_failing_variant_leaves_the_others_compared(miyawaki, finished, tmp_path):
    config = swept(miyawaki, hypotheses=())
    shutil.copytree(finished / "v1_strong_penalty", tmp_path / "v1_strong_penalty")
    missing = ("V9", {"preparation": {"roi": "V9"}})
    config["sweep"]["variants"] = (missing, config["sweep"]["variants"][-1])
    with pytest.raises(InputError, match=r"V9 was not run to its end.*V9.*runs only what is missi"):
        run_sweep(config, tmp_path, executor(1, "", tmp_path), progress=False)
    assert "V9 was not run to its end" in (tmp_path / "comparison.html").read_text()
    assert "strong penalty" in (tmp_path / "comparison.md").read_text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"variants": ()}, "at least one variant"),
        (
            {"variants": (("A", {"methd": {}}),), "hypotheses": ()},
            "config.methd is not a known section",
        ),
        (
            {"variants": (("A", {"method": {"alpah": 1.0}}),), "hypotheses": ()},
            "config.method.alpah is not a known option: did you mean 'alpha'",
        ),
        (
            {"variants": (("A", {}), ("a", {})), "hypotheses": ()},
            "folders would have the same name",
        ),
        ({"claims": ()}, "has hypotheses and claims, one option"),
        ({"hypotheses": (("V1", "V7", "accuracy"),)}, "with variants among V1, Noise"),
        ({"variants": (("V1",),)}, "is not a list of pairs"),
        ({"repeats": 3}, "config.sweep.repeats is not a known option"),
        (
            {"variants": (("A", {"seed": 3}),), "hypotheses": ()},
            "takes its seeds from config.sweep",
        ),
        ({"variants": (("Figures", {}),), "hypotheses": ()}, "folder 'figures' is the sweep's own"),
        ({"variants": (("A", {"preparation": 3}),), "hypotheses": ()}, "is 3: expected a section"),
        ({"variants": (("A", {"method": 3}),), "hypotheses": ()}, "config.method.name is missing"),
    ],
)
def test_a_sweep_that_cannot_be_run_is_refused_before_anything_is(
    miyawaki, tmp_path, change, sentence
):
    with pytest.raises(InputError, match=sentence):
        run_sweep(swept(miyawaki, **change), tmp_path / "new", executor(1, "", tmp_path))
    assert not (tmp_path / "new").exists()


def test_claims_of_earlier_experiment_files_are_hypotheses(miyawaki, tmp_path):
    config = swept(miyawaki)
    expected = sweep._hypotheses(config["sweep"])
    config["sweep"]["claims"] = config["sweep"].pop("hypotheses")
    assert sweep._hypotheses(config["sweep"]) == expected and len(expected) == 1
    config["sweep"]["claims"] = (("V1", "V7", "accuracy"),)
    with pytest.raises(InputError, match="config.sweep.hypotheses has .*variants among V1, Noise"):
        sweep.tasks(config, tmp_path)


NOT_SET = "'\\$NOT_SET_HERE/object2vec.npz' cannot be found because the environment variable"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("$NOT_SET_HERE/object2vec.npz", NOT_SET), ("no/such.npz", "^no/such.npz does not exist: ex")],
)
def test_a_recording_that_is_not_there_is_said_once_before_any_variant_begins(
    miyawaki, tmp_path, capsys, path, sentence
):
    config = swept(miyawaki)
    elsewhere = ("Elsewhere", {"data": {"path": path}})
    config["sweep"]["variants"] += (elsewhere, ("And so", {**elsewhere[1], "seeds": (0, 1)}))
    with pytest.raises(InputError, match=sentence):
        run_sweep(config, tmp_path / "new", executor(1, "", tmp_path / "new"), progress=False)
    assert not (tmp_path / "new").exists() and capsys.readouterr() == ("", "")


def test_paths_of_other_machines_are_left_to_them(miyawaki, tmp_path, monkeypatch):
    monkeypatch.delenv("SLURM_TMPDIR", raising=False)
    config = swept(miyawaki)
    config["data"]["path"] = "$SLURM_TMPDIR/there.npz"
    tried = []
    with pytest.raises(InputError, match="seen by the node"):
        run_sweep(
            config,
            tmp_path,
            lambda tasks: tried.extend(tasks) or ["seen by the node"] * len(tasks),
            elsewhere=True,
        )
    assert tried
    options = ("", "cluster=local", "slurm_partition=gpu", "cluster=slurm timeout_min=5")
    assert [is_elsewhere(slurm) for slurm in options] == [False, False, True, True]


def test_what_a_virtual_subject_has_itself_and_what_downloads_make_may_be_absent(tmp_path):
    paths.check({"images": "embedded", "folder": str(tmp_path / "new"), "masks": "", "roi": "V9"})
    with pytest.raises(InputError, match="no.zip does not exist: .* as 'images'"):
        paths.check({"images": str(tmp_path / "no.zip")})


def test_the_seeds_of_the_shipped_searches_can_be_given_on_the_command_line(tmp_path):
    """As the message for a `seed` in the config says; only what the file sets can be."""
    for name in ("search_weights", "table2"):
        config = importlib.import_module(f"experiments.{name}").get_config()
        assert config.sweep.seeds == (0,)
        config.seed = 1
        with pytest.raises(InputError, match=r"give --config\.sweep\.seeds='\(1, 2\)' where the"):
            tasks(config.to_dict(), tmp_path)


@pytest.mark.parametrize(
    ("jobs", "slurm", "sentence"),
    [
        (0, "", "--jobs is 0"),
        (2, "timeout_min=5", "expected one of them"),
        (1, "timeout_min", "expected name=value"),
        (1, "cluster=nowhere", "was rejected"),
    ],
)
def test_execution_that_cannot_be_had_is_refused(miyawaki, tmp_path, jobs, slurm, sentence):
    with pytest.raises(InputError, match=sentence):
        executor(jobs, slurm, tmp_path)(tasks(swept(miyawaki), tmp_path))


def test_a_variant_of_another_method_starts_from_its_defaults(miyawaki):
    base = base_config(miyawaki)
    untouched = copy.deepcopy(base)
    merged = merge(base, {"method": {"name": "gan", "n_steps": 3}})
    assert merged["method"]["n_steps"] == 3 and "alpha" not in merged["method"]
    assert base == untouched


@pytest.mark.parametrize(
    ("name", "argument", "rows", "runs"),
    [
        ("table2", "", 15, 21),
        ("table2", "object2vec", 14, 14),
        ("table2", "tiny", 15, 15),
        ("table2", "ridge", 6, 6),
        ("table2", "ridge_object2vec", 5, 5),
        ("search_weights", "", 6, 6),
    ],
)
def test_the_sweeps_that_are_shipped_can_be_read(name, argument, rows, runs, tmp_path):
    """Every row's options are known, and every hypothesis names two rows."""
    config = importlib.import_module(f"experiments.{name}").get_config(argument).to_dict()
    todo = tasks(config, tmp_path)
    assert len(todo) == runs and len({task.variant for task in todo}) == rows
    first = todo[0].config
    changed = [
        task.variant for task in todo if task.config | {"title": ""} != first | {"title": ""}
    ]
    assert changed == [task.variant for task in todo[1:]]


def test_the_smoke_run_of_table2_refuses_only_the_row_that_lacks_weights(tmp_path, monkeypatch):
    """CaffeNet's row says where its weights are to be had; here it must not look for them."""
    monkeypatch.setattr("fmri_jax.pretrained.sources.fetch", unreachable)
    config = importlib.import_module("experiments.table2").get_config("tiny").to_dict()
    config["n_devices"], config["evaluation"]["perceptual"] = 1, False
    kept = ("Paper's weights, CaffeNet", "Without feature loss")
    rows = [row for row in config["sweep"]["variants"] if row[0] in kept]
    config["sweep"] = {"variants": tuple(rows)}
    with pytest.raises(InputError, match=r"Paper's weights, CaffeNet was not run.*caffemodel"):
        run_sweep(config, tmp_path, executor(1, "", tmp_path), progress=False)
    page = (tmp_path / "comparison.html").read_text()
    assert "Without feature loss" in page and "bvlc_reference_caffenet.caffemodel" in page


def unreachable(publication, folder):
    raise InputError(f"{publication.origin} cannot be had: put the file into {folder}.")
