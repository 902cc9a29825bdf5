"""`fmri-jax score`: arrays and folders of images give the scores of `fmri_jax.metrics`."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import fmri_jax as fj
from fmri_jax import report
from fmri_jax.cli import main


@pytest.fixture(scope="module")
def images():
    """12 targets of 16 pixels, two of them equal, and reconstructions that resemble them."""
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 256, (12, 16, 16, 3), np.uint8)
    targets[11] = targets[10]
    noise = rng.integers(-80, 80, targets.shape)
    return targets, np.clip(targets + noise, 0, 255).astype(np.uint8)


def score(*arguments):
    return main(["score", *map(str, arguments), "--no-perceptual", "--n-bootstrap", "50"])


@pytest.fixture
def no_page(monkeypatch):
    """Pages take seconds; what they say is read from scores.json."""
    monkeypatch.setattr(report, "write", lambda folder: folder / "report.html")


def test_arrays_give_table_page_and_the_scores_of_the_package(images, tmp_path, capsys):
    targets, made = images
    np.savez(tmp_path / "seen.npz", images=targets)
    np.savez(tmp_path / "made.npz", reconstructions=made.astype(np.float32) / 255)
    arguments = tmp_path / "seen.npz", tmp_path / "made.npz", "--out", tmp_path / "out"
    assert score(*arguments) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == str(tmp_path / "out/report.html")
    expected = fj.metrics.score(targets, made, perceptual=False)
    stored = json.loads((tmp_path / "out/scores.json").read_text())
    for metric, value in expected.items():
        entry = stored["sets"]["test"][metric]
        assert entry["value"] == pytest.approx(value, abs=1e-6)
        if value < 1:  # that all are right gives no interval
            assert entry["low"] <= entry["value"] <= entry["high"]
    assert f"{expected['pixel_correlation']:.3f}" in shown
    assert stored["chance"]["identification_2way"] == 0.5
    assert stored["chance"]["identification_10way"] == 0.1
    wrong = stored["baselines"]["shuffled_images"]
    assert abs(wrong["pixel_correlation"]["value"]) < 0.1 < expected["pixel_correlation"]
    assert wrong["identification_2way"]["value"] < 0.7
    page = (tmp_path / "out/report.html").read_text()
    assert "shuffled images" in page and "Only images were given" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_folders_are_matched_by_name(images, tmp_path, capsys, no_page):
    targets, made = images
    for folder, stack, suffix in (("seen", targets, "png"), ("made", made, "bmp")):
        (tmp_path / folder).mkdir()
        order = range(12) if folder == "seen" else reversed(range(12))
        for i in order:
            Image.fromarray(stack[i]).save(tmp_path / folder / f"image {i}.{suffix}")
    training = np.random.default_rng(1).integers(0, 256, (20, 16, 16, 3), np.uint8)
    np.save(tmp_path / "training.npy", training)
    folders = tmp_path / "seen", tmp_path / "made"
    assert score(*folders, "--out", tmp_path / "out", "--training", tmp_path / "training.npy") == 0
    stored = json.loads((tmp_path / "out/scores.json").read_text())
    expected = fj.metrics.score(targets, made, training_images=training, perceptual=False)
    for metric, value in expected.items():
        assert stored["sets"]["test"][metric]["value"] == pytest.approx(value, abs=1e-6)
    assert stored["chance"]["identification_vs_train"] == pytest.approx(1 / 21)
    mean = np.broadcast_to(training.mean(axis=0) / 255, targets.shape)
    expected = fj.metrics.score(targets, mean, perceptual=False)["mse"]
    assert stored["baselines"]["mean_image"]["mse"]["value"] == pytest.approx(expected, abs=1e-6)
    names = {row["stimulus_name"] for row in stored["per_image"]}
    assert names == {f"image {i}" for i in range(12)}

    (tmp_path / "made/image 3.bmp").rename(tmp_path / "made/picture 3.bmp")
    assert score(*folders, "--out", tmp_path / "other") == 2
    assert "made has no file for 'image 3'" in capsys.readouterr().err


def test_a_run_s_own_file_is_scored_without_its_training_images(images, tmp_path, no_page):
    targets, made = (stack.astype(np.float32) / 255 for stack in images)
    split = np.array(["train"] * 3 + ["test"] * 9)
    path = tmp_path / "reconstructions.npz"
    np.savez(path, targets=targets, reconstructions=made, split=split)
    assert score(path, path, "--out", tmp_path / "out") == 0
    stored = json.loads((tmp_path / "out/scores.json").read_text())
    expected = fj.metrics.score(targets[3:], made[3:], perceptual=False)["ssim"]
    assert stored["sets"]["test"]["ssim"]["value"] == pytest.approx(expected, abs=1e-6)
    assert score(path, path, "--out", tmp_path / "out") == 0


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"images": np.zeros((4, 8, 8, 3))}, "one reconstruction per image, in the same size"),
        ({"a": np.zeros(3), "b": np.zeros(3)}, "holds a, b: expected images under"),
        ({"images": np.full((12, 16, 16, 3), 7.0)}, r"spans \[7, 7\]: expected \[0, 1\]"),
        ({"images": np.array([{}])}, "cannot be read"),
        (None, "does not exist"),
    ],
)
def test_what_cannot_be_scored_is_one_message(images, tmp_path, capsys, arrays, message):
    np.savez(tmp_path / "seen.npz", images=images[0])
    if arrays is not None:
        np.savez(tmp_path / "made.npz", **arrays)
    assert score(tmp_path / "seen.npz", tmp_path / "made.npz", "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert re.search(message, said) and len(said.splitlines()) == 1


def test_a_folder_with_other_files_is_left_alone(images, tmp_path, capsys):
    np.savez(tmp_path / "seen.npz", images=images[0])
    arguments = tmp_path / "seen.npz", tmp_path / "seen.npz", "--out", tmp_path
    assert score(*arguments) == 2 and "not empty" in capsys.readouterr().err
