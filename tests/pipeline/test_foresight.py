"""What is said before the first fit, on recordings made to have each fault."""

import dataclasses

import numpy as np
import pytest

from fmri_jax.data.recording import Recording
from fmri_jax.pipeline import foresight
from fmri_jax.pipeline.experiment_config import default_config, read


def recording(n_images=30, runs=3, tested=0) -> Recording:
    """Every image in every run; the last `tested` images are a test set of their own."""
    rng = np.random.default_rng(0)
    stimulus = np.tile(np.arange(n_images, dtype=np.int32), runs)
    return Recording(
        fmri=rng.standard_normal((len(stimulus), 3)).astype(np.float32),
        stimulus=stimulus,
        images=rng.integers(0, 256, (n_images, 4, 4, 1), np.uint8),
        run=np.repeat(np.arange(runs, dtype=np.int32), n_images),
        rois={},
        stimulus_names=tuple(map(str, range(n_images))),
        split=np.where(stimulus >= n_images - tested, "test", "train"),
    )


def grouped(tested=0) -> Recording:
    """Six movies of five frames each."""
    found = recording(tested=tested)
    return dataclasses.replace(found, groups=tuple(f"movie {i // 5}" for i in range(30)))


def copied(tested=0) -> Recording:
    """The last image is nearly the first one."""
    found = recording(tested=tested)
    images = found.images.copy()
    images[-1] = np.clip(images[0].astype(int) + 1, 0, 255)
    return dataclasses.replace(found, images=images)


def said(found: Recording, split: str, n_folds: int) -> str:
    config = default_config("ridge", "virtual_subject").to_dict()
    config["preparation"]["split"] = split
    return " ".join(foresight.foreseen(read(config), found, n_folds))


@pytest.mark.parametrize(
    ("found", "split", "n_folds", "words"),
    [
        (recording(), "stimulus", 30, "--config.preparation.n_folds=10"),
        (recording(), "run", 3, "--config.preparation.split=stimulus"),
        (recording(tested=25), "stimulus", 5, "leaves that set out"),
        (recording(tested=5), "given", 1, "5 test images: so few prove little"),
        (recording(n_images=12), "stimulus", 12, "Each fold tests one image"),
        (copied(), "stimulus", 10, "2 test images nearly equal"),
        (copied(tested=25), "given", 1, "--config.preparation.split=cluster"),
        (grouped(), "stimulus", 30, "--config.preparation.split=group"),
        (grouped(tested=12), "given", 1, "Images of 1 group"),
        (grouped(), "group", 6, "6 groups: so few prove little"),
    ],
)
def test_each_fault_is_said_with_its_cure(found, split, n_folds, words):
    assert words in said(found, split, n_folds)


def test_a_flat_image_is_found_before_the_fit():
    found = recording(tested=25)
    found.images[3] = 200
    assert "1 of 30 hold one colour only, the first image 3" in said(found, "given", 1)


def test_a_sound_experiment_is_begun_without_a_word():
    assert said(recording(tested=25), "given", 1) == ""
    sound = recording()
    of_its_own = dataclasses.replace(sound, run=sound.stimulus % 3)  # each image in one run
    assert said(of_its_own, "run", 3) == ""


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (recording(tested=5), ("given", None, 1)),
        (recording(), ("stimulus", 10, 10)),  # never a fit for each of many images
        (recording(n_images=15), ("stimulus", None, 15)),
        (grouped(), ("group", None, 6)),
    ],
)
def test_a_split_is_advised_that_tests_new_images_and_can_be_run(found, expected):
    assert foresight.advised(found) == expected
    first, *faults = foresight.in_words(found)
    assert first.startswith(f"--config.preparation.split={expected[0]}")
    assert (expected[2] > 1) == any("by ridge regression: about" in fault for fault in faults)
    assert not any(
        "seen in training" in fault or "leaves that set out" in fault for fault in faults
    )


def test_runs_are_left_out_where_each_image_is_in_one():
    sound = recording()
    apart = dataclasses.replace(sound, run=sound.stimulus % 3)
    assert foresight.advised(apart) == ("run", None, 3)


def test_the_first_fold_tells_what_the_others_take(tmp_path):
    (tmp_path / "folds").mkdir()
    (tmp_path / "folds" / "000.npz").write_bytes(bytes(2_000_000))
    text = foresight.remaining(10, 20.0, foresight.n_bytes(tmp_path))
    assert "about 3 min 00 s and 18 MB for the other 9" in text
