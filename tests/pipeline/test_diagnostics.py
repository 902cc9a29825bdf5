"""What a run says about its own scores, on recordings whose answers are known beforehand."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.recording import Recording
from fmri_jax.datasets import simulated
from fmri_jax.evaluation.noise_ceiling import noise_ceiling
from fmri_jax.evaluation.training_span import best_in_span
from fmri_jax.methods import RunContext, fold_key
from fmri_jax.methods.local_decoders.method import fit
from fmri_jax.methods.local_decoders.options import Config
from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of
from fmri_jax.pipeline import cross_validation, diagnostics
from fmri_jax.pipeline.experiment_config import default_config, read
from fmri_jax.pipeline.run import run
from fmri_jax.pipeline.workdir import Phases
from fmri_jax.report.text import summary_text
from fmri_jax.training.mesh import make_mesh


class Ridge:
    """A method that is its own baseline: linear, and fitted in a second."""

    def fit(self, trials, context):
        from fmri_jax.evaluation import baselines

        del context
        return baselines.ridge(trials.fmri, trials.stimulus, trials.images)


def subject(noise: float):
    return simulated.load(
        image_size=16,
        n_training=60,
        training_repeats=2,
        n_test=20,
        test_repeats=4,
        shape_repeats=0,
        letter_repeats=0,
        n_voxels=200,
        areas=("V1", "V2"),
        noise_ceiling=1 - noise,
    )


def examined(tmp_path, recording, **preparation):
    config = default_config("gan", "virtual_subject").to_dict()
    config["preparation"] |= preparation
    options = read(config)
    splits = list(folds(recording, options.preparation, diagnostics.clusters(options, recording)))
    parts = []
    for number, fold in enumerate(splits):
        key = fold_key(0, number)
        context = RunContext(tmp_path, fold.name, key, make_mesh(1), progress=False)
        parts.append(cross_validation.run_fold(fold, number, 5, Ridge(), context, Phases(), {}))
    rows = cross_validation.concatenate(parts)
    return diagnostics.examine(options, recording, splits, rows), rows, splits


def test_a_clear_recording_is_above_chance_and_below_its_span(tmp_path):
    found, rows, _ = examined(tmp_path, subject(noise=0))
    assert found.numbers["identification_2way_p"] < 0.05
    assert found.numbers["noise_ceiling"] > 0.95 and found.numbers["near_duplicates"] == 0
    test = rows.take(rows.split == "test")
    reached = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1]
        for a, b in zip(test.targets, test.reconstructions, strict=True)
    ]
    assert np.mean(reached) < found.numbers["span_pixel_correlation"] <= 1
    assert any("is above chance" in note for note in found.notes)
    assert found.notes[0].startswith("The fMRI is simulated")


def test_the_span_is_called_the_bound_of_decoders_that_share_their_voxels(tmp_path):
    found, _, _ = examined(tmp_path, subject(noise=0))
    (said,) = [note for note in found.notes if "weighted sums" in note]
    assert "a linear decoder whose voxels are shared by all pixels" in said and "ridge" in said


def test_voxels_of_their_own_carry_local_decoders_out_of_the_span():
    """One of three columns of a training image is light; then all of them are."""
    columns = np.tile(np.eye(3, dtype=np.float32), (8, 1))
    images = np.repeat(columns[:, None, :, None], 3, axis=1)
    bright = np.ones((1, 3, 3, 1), np.float32)
    np.testing.assert_allclose(best_in_span(images, bright), 1 / 3, atol=1e-6)
    voxels = columns + np.random.default_rng(0).normal(0, 0.02, columns.shape).astype(np.float32)
    config = Config(scales=(1,), decoder="linear", n_voxels=1, weights="equal")
    fitted = fit(TrainingSet(voxels, images, groups_of(images)), config, jax.random.key(0))
    np.testing.assert_allclose(fitted.reconstruct(np.ones((1, 3), np.float32)), bright, atol=0.1)


def test_noise_is_called_noise(tmp_path):
    found, _, _ = examined(tmp_path, subject(noise=1))
    assert found.numbers["identification_2way_p"] > 0.05
    assert found.numbers["noise_ceiling"] < 0.1
    assert any("is not above chance" in note for note in found.notes)


def test_fmri_replaced_by_noise_is_said_first(tmp_path):
    found, _, _ = examined(tmp_path, subject(noise=0), fmri="noise")
    assert found.notes[0].startswith("All fMRI was replaced by random numbers")
    assert found.numbers["identification_2way_p"] > 0.05
    assert "noise_ceiling" not in found.numbers


def test_copies_of_test_images_in_training_are_counted(tmp_path):
    recording = subject(noise=0)
    images = recording.images.copy()
    train = np.unique(recording.stimulus[recording.split == "train"])
    test = np.unique(recording.stimulus[recording.split == "test"])
    images[train[:3]] = np.clip(images[test[:3]].astype(int) + 1, 0, 255)
    found, _, _ = examined(tmp_path, dataclasses.replace(recording, images=images))
    assert found.numbers["near_duplicates"] == 3
    assert any(note.startswith("3 test images nearly equal") for note in found.notes)


def test_copies_are_looked_for_in_every_fold(tmp_path):
    """Six images, each again a shade lighter: those whose twin is in another fold are counted."""
    recording = subject(noise=0)
    images = recording.images.copy()
    train = np.unique(recording.stimulus[recording.split == "train"])
    images[train[:6]] = np.clip(images[train[6:12]].astype(int) + 1, 0, 255)
    recording = dataclasses.replace(recording, images=images)
    found, _, splits = examined(tmp_path, recording, split="stimulus", n_folds=4)
    fold_of = {s: fold.name for fold in splits for s in fold.tests["test"].stimulus.tolist()}
    apart = sum(fold_of[train[i]] != fold_of[train[i + 6]] for i in range(6))
    assert found.numbers["near_duplicates"] == 2 * apart > 0
    assert any("nearly equal" in note for note in found.notes)


def test_networks_that_judge_what_was_trained_to_please_them_are_named():
    config = default_config("gan", "virtual_subject").to_dict()
    assert "no independent judges" in diagnostics._judge(read(config))[0]
    config["method"]["comparator"], config["method"]["comparator_layers"] = "vgg16", ("relu5",)
    assert not diagnostics._judge(read(config))
    config = default_config("local_decoders", "virtual_subject").to_dict()
    assert not diagnostics._judge(read(config))


def test_leaving_clusters_out_parts_similar_images(tmp_path):
    _, rows, splits = examined(tmp_path, subject(noise=0), split="cluster", n_folds=4)
    assert len(splits) == 4 and all(fold.name.startswith("cluster ") for fold in splits)
    tested = [set(fold.tests["test"].stimulus.tolist()) for fold in splits]
    assert len(set.union(*tested)) == sum(map(len, tested)) == 60
    for fold, out in zip(splits, tested, strict=True):
        assert not out & set(fold.train.stimulus.tolist())
    assert (rows.split == "test").sum() == 60


def test_a_test_set_of_another_name_is_examined(tmp_path):
    recording = subject(noise=0)
    named = np.where(recording.split == "test", "val", recording.split)
    found, rows, _ = examined(tmp_path, dataclasses.replace(recording, split=named))
    assert rows.test_sets() == ["val", "train"]
    assert found.numbers["identification_2way_p"] < 0.05


def repeated_over_runs():
    """Three runs; the second and the third show the same two images, the first two others."""
    rng = np.random.default_rng(0)
    return Recording(
        fmri=rng.normal(size=(24, 12)).astype(np.float32),
        stimulus=np.repeat([0, 1, 2, 3, 2, 3], 4).astype(np.int32),
        images=rng.integers(0, 256, (4, 8, 8, 1), dtype=np.uint8),
        run=np.repeat(np.arange(3, dtype=np.int32), 8),
        rois={},
        stimulus_names=tuple("abcd"),
        split=np.full(24, "train"),
    )


def test_images_shared_in_any_fold_are_said_and_nothing_else_is_claimed(tmp_path):
    found, _, splits = examined(tmp_path, repeated_over_runs(), split="run")
    assert [fold.shared_stimuli for fold in splits] == [0, 2, 2]
    (said,) = [note for note in found.notes if summary_text.SHARED in note]
    assert said.startswith("2 images of fold 'run 1'") and "so are images of another fold:" in said
    assert not any("With an image left out" in note for note in found.notes)


def test_the_noise_ceiling_is_that_of_the_rows_that_are_tested(tmp_path):
    """Images 2 and 3 have 8 trials each, of which a test row averages the 4 of one run."""
    recording = repeated_over_runs()
    options = read(default_config("gan", "virtual_subject").to_dict())
    fold = list(folds(recording, PreparationConfig(split="run")))[1]
    found = diagnostics.Trust({}, [])
    diagnostics._ceiling(options, recording, [fold], found)
    assert "averages of 4 trials" in found.notes[0]
    stimulus = recording.stimulus[8:]
    expected = noise_ceiling(recording.fmri[8:], stimulus).explainable(4)
    assert found.numbers["noise_ceiling"] == pytest.approx(float(np.median(expected)))


@pytest.mark.parametrize("n_folds", [0, 2])
def test_the_noise_ceiling_is_that_of_the_test_images_of_all_folds(tmp_path, n_folds):
    recording = repeated_over_runs()
    found, _, _ = examined(tmp_path, recording, split="stimulus", n_folds=n_folds)
    expected = noise_ceiling(recording.fmri, recording.stimulus).explainable(
        16 / 3
    )  # of 4, 4, 8 and 8
    assert found.numbers["noise_ceiling"] == pytest.approx(float(np.median(expected)))
    assert any("averages of 4 to 8 trials" in note for note in found.notes)


def test_a_run_writes_what_it_found(tmp_path):
    config = default_config("local_decoders", "virtual_subject").to_dict()
    config["data"]["virtual_subject"] |= {
        "image_size": 16,
        "n_training": 40,
        "training_repeats": 1,
        "n_test": 10,
        "test_repeats": 2,
        "shape_repeats": 0,
        "letter_repeats": 0,
        "n_voxels": 100,
        "areas": ("V1",),
    }
    config["method"] |= {"scales": (1,), "decoder": "ridge"}
    config["evaluation"] |= {"n_bootstrap": 20, "perceptual": False}
    page = run(config, tmp_path / "run", progress=False)
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert set(scores["trust"]) >= {"identification_2way_p", "span_pixel_correlation"}
    assert scores["trust"]["span_pixel_correlation"] == pytest.approx(
        float(
            next(n for n in scores["notes"] if "weighted sums" in n)
            .split("correlation of ")[1]
            .split()[0]
        ),
        abs=1e-3,
    )
    text = page.read_text()
    assert "weighted sums of training images" in text and "Noise ceiling" in text
    # Its elements have voxels of their own, so that nothing here is bound by the span.
    assert "about the best" not in text
