"""What a config says is true of the recording that it names, or is refused before it costs time."""

import copy
import json
import pathlib

import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config, described
from fmri_jax.pipeline.run import run
from tests.launching import launch
from tests.pipeline.test_run import small_gan, write_recording

ROOT = pathlib.Path(__file__).parents[2]


def of_file(name: str, argument: str = "") -> dict:
    scope: dict = {}
    exec((ROOT / "experiments" / f"{name}.py").read_text(), scope)
    return scope["get_config"](argument).to_dict()


def words(original: dict, overridden: dict) -> tuple[str, str]:
    """Title and text after some options were given on the command line."""
    config = copy.deepcopy(original)
    for name, value in overridden.items():
        *path, last = name.split(".")
        section = config
        for part in path:
            section = section[part]
        section[last] = value
    told = described(config, original, overridden)
    assert {**told, "title": "", "text": ""} == {**config, "title": "", "text": ""}
    return told["title"], told["text"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("local_decoders", "Local decoders on own.npz"),
        ("gan_object2vec", "GAN on own.npz"),
        ("gan_miyawaki", "GAN on own.npz"),
        ("gan_vc", "GAN on own.npz"),
        ("table2", "GAN on own.npz"),
    ],
)
def test_another_recording_gets_a_title_of_its_own(name, title):
    given = {"data.name": "file", "data.path": "/tmp/own.npz", "preparation.split": "run"}
    assert words(of_file(name), given) == (title, "")


def test_another_split_takes_words_away_that_would_be_false():
    """The file says that one image is left out at a time."""
    title, text = words(of_file("local_decoders"), {"preparation.split": "run"})
    assert (title, text) == ("Local decoders on miyawaki2008_s1_v1_figures.npz", "")


def test_a_recording_without_a_path_is_called_by_its_name():
    given = {"data.virtual_subject.seed": 3}
    assert words(of_file("gan_vc"), given) == ("GAN on virtual subject", "")


def test_what_the_experiment_file_says_stays_where_it_is_true():
    original = of_file("gan_vc")
    same = {"method.n_steps": 5, "seed": 2, "preparation.roi": original["preparation"]["roi"]}
    assert words(original, same) == (original["title"], original["text"])


def test_titles_name_no_option_that_the_command_line_may_change():
    original = of_file("local_decoders", "nilearn")
    title, _ = words(original, {"method.weights": "equal"})
    assert title == original["title"] and "weights" not in title


def test_words_of_the_command_line_are_kept():
    given = {"data.path": "own.npz", "title": "Mine", "text": "Our lab."}
    assert words(of_file("gan_miyawaki"), given) == ("Mine", "Our lab.")
    given.pop("title")
    assert words(of_file("gan_miyawaki"), given) == ("GAN on own.npz", "Our lab.")


def test_a_config_that_will_be_refused_is_left_to_the_check_that_refuses_it():
    original = default_config("gan", "file").to_dict()
    assert described({**original, "data": 3}, original, ())["data"] == 3


def test_the_report_of_another_recording_does_not_describe_the_experiment_files(tmp_path):
    """The same command goes on with its run; words of the user's own are kept."""
    recording = tmp_path / "mine.npz"
    write_recording(recording, seed=0)
    command = [
        "--config=experiments/local_decoders.py",
        f"--config.data.path={recording}",
        "--config.preparation.n_folds=2",
        "--config.method.decoder=ridge",
        "--config.method.n_inner=2",
        "--config.evaluation.n_bootstrap=20",
        "--config.evaluation.perceptual=False",
        f"--workdir={tmp_path / 'run'}",
    ]
    for _ in range(2):
        done = launch(*command)
        assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "run/run.json").read_text())
    assert (about["title"], about["text"]) == ("Local decoders on mine.npz", "")
    page = (tmp_path / "run/report.html").read_text()
    assert ">Local decoders on mine.npz</h1>" in page and "Miyawaki" not in page
    done = launch(*command, "--config.text=Mine.")
    assert done.returncode == 0, done.stderr
    assert "Mine." in (tmp_path / "run/report.html").read_text()


def rgb(images: np.ndarray) -> np.ndarray:
    return np.repeat(images, 3, axis=-1)


@pytest.mark.parametrize(
    ("change", "size", "kind"),
    [
        (rgb, 0, "RGB"),
        (lambda images: images // 2, 0, "2 grey levels"),
        (np.copy, 7, "grey levels"),
    ],
)
def test_scores_of_binary_images_are_refused_for_others_before_anything_is_fitted(
    tmp_path, change, size, kind
):
    recording = tmp_path / "mine.npz"
    write_recording(recording, seed=0)
    with np.load(recording) as stored:
        arrays = {**stored, "images": change(stored["images"])}
    np.savez(recording, **arrays)
    config = small_gan(recording)
    config.evaluation.metrics, config.preparation.image_size = ("mse", "f1"), size
    with pytest.raises(InputError, match=f"names 'f1', .* but the test images are .*{kind}: exp"):
        run(config, tmp_path / "run", progress=False)
    assert {path.name for path in (tmp_path / "run").iterdir()} <= {"config.json", "run.json"}


def test_scores_of_binary_images_can_be_asked_for_by_name(tmp_path):
    write_recording(tmp_path / "mine.npz", seed=0)
    config = small_gan(tmp_path / "mine.npz")
    config.evaluation.metrics = ("accuracy", "f1")
    run(config, tmp_path / "run", progress=False)
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert "accuracy" in scores["sets"]["test"]


def test_metrics_for_which_there_are_too_few_images_are_refused_before_anything_is_fitted(tmp_path):
    write_recording(tmp_path / "mine.npz", seed=0)
    config = small_gan(tmp_path / "mine.npz")
    config.evaluation.metrics = ("identification_10way",)
    with pytest.raises(
        InputError, match="alone, but there are 4 test images: expected at least 10"
    ):
        run(config, tmp_path / "run", progress=False)
    assert not (tmp_path / "run/folds").exists()
