"""The smoke experiment end to end, a run killed and resumed, and every mistake in one sentence."""

import contextlib
import gc
import json
import os
import pathlib
import shutil
import weakref

import ml_collections
import numpy as np
import pytest

from fmri_jax.data.images import resize
from fmri_jax.data.preparation import folds
from fmri_jax.errors import InputError
from fmri_jax.evaluation.baselines import BASELINES
from fmri_jax.pipeline import cross_validation, shared_folds
from fmri_jax.pipeline.experiment_config import default_config, read
from fmri_jax.pipeline.run import run
from tests.launching import launch
from tests.pipeline.killing import killed_before_the_second_fold

ROOT = pathlib.Path(__file__).parents[2]
MADE = {name for name, baseline in BASELINES.items() if baseline.prepare and not baseline.control}


def experiment(name: str, argument: str = "") -> ml_collections.ConfigDict:
    scope: dict = {}
    exec((ROOT / "experiments" / f"{name}.py").read_text(), scope)
    return scope["get_config"](argument)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> pathlib.Path:
    workdir = tmp_path_factory.mktemp("runs") / "tiny"
    assert run(experiment("gan_vc", "tiny"), workdir, progress=False) == workdir / "report.html"
    return workdir


def test_a_run_leaves_what_it_promises(finished):
    names = {path.name for path in finished.iterdir()}
    assert names >= {
        "config.json",
        "run.json",
        "checkpoints",
        "metrics.jsonl",
        "events",
        "reconstructions.npz",
        "scores.json",
        "report.html",
        "figures",
    }
    stored = np.load(finished / "reconstructions.npz", allow_pickle=False)
    assert stored["reconstructions"].dtype == stored["targets"].dtype == np.float32
    assert stored["reconstructions"].shape == stored["targets"].shape
    assert 0 <= stored["reconstructions"].min() and stored["reconstructions"].max() <= 1
    assert set(stored["split"]) == {"test", "train", "shapes", "letters"}
    scores = json.loads((finished / "scores.json").read_text())
    assert set(scores["baselines"]) == MADE - {"all_black"}
    for metric in ("pixel_correlation", "ssim", "identification_2way", "alexnet5", "lpips"):
        entry = scores["sets"]["shapes"][metric]
        assert entry["low"] <= entry["value"] <= entry["high"]
        assert "low" not in scores["sets"]["test"][metric]  # crops of four photographs
        assert metric in scores["baselines"]["ridge"]
    assert 0 <= scores["sets"]["test"]["identification_vs_train"]["value"] <= 1
    assert len(scores["per_image"]) == len(stored["split"])
    assert scores["diagnostics"]["independent_units"] == 4
    assert "of 4 independent groups" in (finished / "report.html").read_text()


def test_simulated_data_is_called_simulated(finished):
    about = json.loads((finished / "run.json").read_text())
    assert about["data"]["simulated"] is True and "imulated" in about["data"]["description"]
    notes = json.loads((finished / "scores.json").read_text())["notes"]
    assert {"simulated", "circular_metric"} <= {note["kind"] for note in notes}
    assert "imulated" in (finished / "report.html").read_text()
    assert about["seed"] == 0 and about["versions"]["jax"]
    assert {phase["name"] for phase in about["phases"]} >= {"load", "fit", "reconstruct", "score"}


def test_a_finished_run_is_not_run_again(finished):
    before = (finished / "run.json").stat().st_mtime_ns
    run(experiment("gan_vc", "tiny"), finished, progress=False)
    assert (finished / "run.json").stat().st_mtime_ns == before


def test_another_config_in_its_workdir_is_refused(finished):
    other = experiment("gan_vc", "tiny")
    other.method.n_steps = 7
    with pytest.raises(InputError, match="config.method.n_steps is 6 there and 7 here"):
        run(other, finished, progress=False)


def test_the_launcher_prints_the_report_last(finished):
    done = launch("--config=experiments/gan_vc.py:tiny", f"--workdir={finished}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(finished / "report.html")


@pytest.fixture
def recording(tmp_path) -> pathlib.Path:
    write_recording(tmp_path / "mine.npz", seed=0)
    return tmp_path / "mine.npz"


def write_recording(path, seed):
    rng = np.random.default_rng(seed)
    images = (rng.random((4, 10, 10, 1)) > 0.5).astype(np.uint8) * 255
    fmri = rng.normal(size=(12, 9)).astype(np.float32)
    np.savez(path, fmri=fmri, stimulus=np.tile(np.arange(4, dtype=np.int32), 3), images=images)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> pathlib.Path:
    """A folder with mine.npz and a finished run of it, `run`; its config names no other folder."""
    folder = tmp_path_factory.mktemp("small")
    with contextlib.chdir(folder):
        write_recording("mine.npz", seed=0)
        run(small_gan("mine.npz"), folder / "run", progress=False)
    return folder


@pytest.fixture
def small_run(small, tmp_path, monkeypatch) -> pathlib.Path:
    """The run in a copy of that folder, from where mine.npz is found."""
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def small_gan(path: pathlib.Path | str) -> ml_collections.ConfigDict:
    config = default_config(method="gan", data="file")
    config.data.path = str(path)
    config.preparation.split = "stimulus"
    config.preparation.average_repeats = "none"
    config.n_devices = 1
    method = config.method
    method.n_steps, method.checkpoint_every, method.batch_size = 3, 2, 4
    method.width, method.hidden = 1 / 32, 8
    method.feature_weight = method.adversarial_weight = 0.0  # each takes seconds to compile
    config.evaluation.perceptual = False
    config.evaluation.n_bootstrap = 50
    return config


def test_a_gan_that_learns_from_crops_is_scored_on_the_middle_of_the_images(recording, tmp_path):
    config = small_gan(recording)
    config.preparation.image_size = 20
    config.preparation.n_folds = 2
    config.method.crop = 16
    run(config, tmp_path / "cropped", progress=False)
    with np.load(tmp_path / "cropped" / "reconstructions.npz") as stored:
        assert stored["targets"].shape[1:] == stored["reconstructions"].shape[1:] == (16, 16, 1)
        assert stored["baseline_ridge"].shape[1:] == (16, 16, 1)
        with np.load(recording) as given:
            whole = resize(given["images"], 20)[stored["stimulus"]]
        np.testing.assert_array_equal(stored["targets"], whole[:, 2:18, 2:18] / np.float32(255))


def test_folds_that_were_done_are_not_done_again(small_run, tmp_path, monkeypatch):
    """Killed in the third fold, the run goes on there and ends with the same numbers."""
    config = small_gan("mine.npz")
    original, fitted = cross_validation.run_fold, []

    def killed(fold, number, *arguments):
        fitted.append(number)
        if number == 2 and fitted.count(2) == 1:
            raise KeyboardInterrupt
        return original(fold, number, *arguments)

    monkeypatch.setattr(cross_validation, "run_fold", killed)
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "killed", progress=False)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed/folds").iterdir()}
    assert len(kept) == 2
    phases = json.loads((tmp_path / "killed/run.json").read_text())["phases"]
    assert {phase["name"] for phase in phases} >= {"load", "prepare", "fit"}
    run(config, tmp_path / "killed", progress=False)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    whole, resumed = (
        dict(np.load(tmp_path / name / "reconstructions.npz")) for name in ("run", "killed")
    )
    for key, value in whole.items():
        np.testing.assert_array_equal(value, resumed[key], err_msg=key)
    scores = json.loads((small_run / "scores.json").read_text())
    assert set(scores["baselines"]) == MADE
    assert "f1" in scores["sets"]["test"] or "accuracy" in scores["sets"]["test"]


def test_one_fold_at_a_time_is_held_in_memory(recording, tmp_path, monkeypatch):
    responses = []

    def watched(*arguments, **options):
        for fold in folds.folds(*arguments, **options):
            responses.append(weakref.ref(fold.train.fmri))
            yield fold
            del fold
            gc.collect()
            assert all(earlier() is None for earlier in responses)

    monkeypatch.setattr(shared_folds, "folds", watched)
    run(small_gan(recording), tmp_path / "run", progress=False)
    assert len(responses) > 2


def test_a_damaged_fold_file_is_set_aside_and_its_fold_computed_again(small_run):
    scores = (small_run / "scores.json").read_bytes()
    for name in ("report.html", "SHA256SUMS"):  # one that has not finished has no digests of folds
        (small_run / name).unlink()
    (small_run / "folds/001.npz").write_bytes(b"PK broken")
    assert run(small_gan("mine.npz"), small_run, progress=False).exists()
    assert (small_run / "scores.json").read_bytes() == scores
    assert (small_run / "folds/.001.npz.damaged").read_bytes() == b"PK broken"


def test_another_recording_under_the_same_name_is_refused(small_run):
    """Whether the run was stopped or finished; the same content at another time is the same."""
    path, workdir, page = pathlib.Path("mine.npz"), small_run, small_run / "report.html"
    times = {phase["name"] for phase in json.loads((workdir / "run.json").read_text())["phases"]}
    assert times >= {"load", "fit", "score"}
    os.utime(path, ns=(1, 1))
    assert run(small_gan(path), workdir, progress=False) == page
    write_recording(path, seed=1)
    with pytest.raises(InputError, match="was begun with another recording"):
        run(small_gan(path), workdir, progress=False)
    for name in ("report.html", "scores.json", "folds/003.npz"):
        (workdir / name).unlink()
    with pytest.raises(InputError, match="was begun with another recording"):
        run(small_gan(path), workdir, progress=False)
    path.unlink()
    page.touch()
    (workdir / "SHA256SUMS").unlink()  # by which this is no page of the run's
    assert run(small_gan(path), workdir, progress=False) == page  # what is finished stays at hand


def test_a_refused_command_can_be_corrected_in_its_folder(recording, tmp_path):
    wrong = small_gan(recording)
    wrong.preparation.roi = "V9"
    with pytest.raises(InputError, match="V9"):
        run(wrong, tmp_path / "run", progress=False)
    with killed_before_the_second_fold():
        run(small_gan(recording), tmp_path / "run", progress=False)
    assert (tmp_path / "run/folds/000.npz").exists()


def test_ranks_among_training_images_can_be_asked_for_by_name(recording, tmp_path):
    config = small_gan(recording)
    names = ("identification_vs_train", "identification_vs_train_rank")
    config.evaluation.metrics = names
    run(config, tmp_path / "run", progress=False)
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert set(scores["sets"]["test"]) == set(names) == set(scores["baselines"]["ridge"])
    assert scores["chance"]["identification_vs_train"] == pytest.approx(1 / 4)
    first, rank = (scores["sets"]["test"][name]["value"] for name in names)
    assert 0 <= first <= rank <= 1


MISTAKES = [
    ({"method.n_stepz": 3}, "config.method.n_stepz is not a known option: did you mean 'n_steps'"),
    ({"methd": {}}, "config.methd is not a known section: did you mean 'method'"),
    ({"method.name": "gun"}, "config.method.name='gun' is not a known method: did you mean 'gan'"),
    ({"data.name": "fil"}, "config.data.name='fil' is not a known recording: did you mean 'file'"),
    ({"data.pth": "x"}, "config.data.pth is not a known option"),
    ({"data.path": "/nowhere.npz"}, "/nowhere.npz is not a file"),
    ({"preparation.validation": float("nan")}, "validation is nan: expected a finite number"),
    ({"preparation": 3}, "config.preparation is 3: expected a section"),
    ({"data.file": 3}, "config.data.file is 3: expected a section"),
    ({"data.path": "$NOT_SET_ANYWHERE/x.npz"}, "variable NOT_SET_ANYWHERE is not set"),
    ({"preparation.roi": "V7"}, "V7"),
    ({"preparation.split": "given"}, "names no test trials"),
    ({"n_devices": 99}, "JAX sees"),
    ({"seed": -1}, "config.seed is -1: expected 0 to 4294967295"),
    ({"seed": 2**32}, "config.seed is 4294967296: expected 0 to"),  # whose key is that of 0
    ({"n_devices": -1}, "config.n_devices is -1: expected 0 or"),
    ({"evaluation.n_bootstrap": -1}, "config.evaluation.n_bootstrap is -1: expected 0 or"),
    ({"evaluation.seed": -1}, "config.evaluation.seed is -1: expected 0 or"),
    ({"evaluation.perceptual_size": -1}, "config.evaluation.perceptual_size is -1: expected 0"),
    ({"evaluation.perceptual_size": 1}, "evaluation.perceptual_size is 1: expected at least 31"),
    ({"evaluation.perceptual_size": 30}, "perceptual_size is 30: expected at least 31"),
    ({"evaluation.metrics": ("sssim",)}, "sssim"),
    ({"evaluation.metrics": ("mse", "lpips")}, "names 'lpips', but config.evaluation.perceptual"),
]


@pytest.mark.parametrize(("changes", "sentence"), MISTAKES, ids=[m[1][:30] for m in MISTAKES])
def test_mistakes_in_a_config_are_named(recording, tmp_path, changes, sentence):
    config = small_gan(recording).to_dict()
    for name, value in changes.items():
        section = config
        *path, last = name.split(".")
        for part in path:
            section = section[part]
        section[last] = value
    with pytest.raises(InputError) as raised:
        run(config, tmp_path / "run", progress=False)
    assert sentence in str(raised.value) and "\n" not in str(raised.value)


def test_every_experiment_is_a_valid_config():
    for path in (ROOT / "experiments").glob("*.py"):
        config = experiment(path.stem).to_dict()
        config.pop("sweep", None)  # tests/test_sweep.py reads those
        assert read(config).title
    for variant in ("photographs", "paper"):
        assert read(experiment("gan_vc", variant).to_dict())
    with pytest.raises(InputError, match="no variant 'huge'"):
        experiment("gan_vc", "huge")
    for name in ("gan_miyawaki", "gan_object2vec", "search_weights"):
        with pytest.raises(InputError, match="no variant 'tiny'"):
            experiment(name, "tiny")


def test_every_option_of_a_simulated_subject_and_of_files_is_there_to_be_changed():
    config = default_config("gan", "virtual_subject")
    assert config.data.virtual_subject.seed == 0 and config.data.file.images == ""
    options = read(config.to_dict()).data_options
    assert options["n_training"] == 1200 and "features" not in options


LAUNCHES = [
    (["--config=experiments/no_such.py"], "experiments/no_such.py does not exist"),
    (["--config", "experiments/none.py:tiny", "--config.seed=3"], "none.py does not exist"),
    (["--config=experiments/gan_vc.py:huge"], "no variant 'huge'"),
    (["--config=experiments/gan_vc.py:tiny", "--config.method.stepz=3"], "stepz"),
    ([], "no experiment was named (python launch.py --config=EXPERIMENT)"),
    (["--config=experiments/gan_miyawaki.py", "--config.data.path=/no.npz"], "/no.npz"),
    (
        ["--config=experiments/gan_vc.py:tiny", "--config.data.virtual_subject.sed=4"],
        "the experiment has no option 'sed': Did you mean \"seed\"",
    ),
    (
        [
            "--config=experiments/gan_vc.py:tiny",
            "--config.method.learning_rate=1e30",
            "--config.method.feature_weight=0.0",
            "--config.method.adversarial_weight=0.0",
        ],
        "training stopped at step",
    ),
]


@pytest.mark.parametrize(("arguments", "sentence"), LAUNCHES, ids=[str(x[1]) for x in LAUNCHES])
def test_the_launcher_ends_with_one_sentence_and_code_2(tmp_path, arguments, sentence):
    done = launch(*arguments, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr and "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("fmri_jax:")]
    # Before it may stand what a run takes, and what was foreseen of its scores.
    assert said and sentence in said[-1] and not done.stdout
