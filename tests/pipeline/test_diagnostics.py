"""What a run says about its own scores, on recordings whose answers are known beforehand."""

import dataclasses
import html
import json

import jax
import numpy as np
import pytest

from fmri_jax import methods
from fmri_jax.data import doubts
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.recording import Recording
from fmri_jax.datasets import simulated
from fmri_jax.evaluation import registry
from fmri_jax.evaluation.noise_ceiling import noise_ceiling
from fmri_jax.evaluation.notes import Note, ordered
from fmri_jax.evaluation.training_span import project_onto_span
from fmri_jax.methods import RunContext, fold_key, gan
from fmri_jax.methods.local_decoders.method import fit
from fmri_jax.methods.local_decoders.options import Config
from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of
from fmri_jax.pipeline import cross_validation, diagnostics
from fmri_jax.pipeline.experiment_config import default_config, read
from fmri_jax.pipeline.rows import concatenate
from fmri_jax.pipeline.run import run
from fmri_jax.pipeline.run_record import RunRecord
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
        parts.append(
            cross_validation.run_fold(fold, number, 5, Ridge(), context, RunRecord(tmp_path))
        )
    rows = concatenate(parts)
    scored = [registry.metric(name) for name in ("ssim", "alexnet2", "alexnet5", "lpips")]
    return diagnostics.examine(options, recording, splits, rows, scored), rows, splits


@pytest.mark.parametrize(("network", "missing"), [("", True), ("vgg16", False)])
def test_a_run_whose_metrics_are_all_circular_names_what_to_install(network, missing):
    scored = [registry.METRICS[name] for name in ("ssim", "alexnet2")]
    scored += [metric for metric in registry.METRICS.values() if metric.network == network != ""]
    notes = diagnostics.circular(["alexnet"], scored)
    found = diagnostics._without_control(notes, scored)
    assert [note.kind for note in found] == ["no_other_network"] * missing
    assert diagnostics._without_control([], scored) == []
    assert all("fmri_jax[efficientnet]" in note.text for note in found)


def noted(found: diagnostics.Diagnosis, kind: str) -> list[Note]:
    return [note for note in found.notes if note.kind == kind]


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
    (chance,), (origin,) = noted(found, "chance"), noted(found, "simulated")
    assert chance.values["above"] and not chance.is_warning and "is above chance" in chance.text
    assert origin.is_warning


def test_the_span_bounds_decoders_that_share_their_voxels(tmp_path, monkeypatch):
    found, _, _ = examined(tmp_path, subject(noise=0))
    (note,) = noted(found, "training_span")
    assert note.values["pixel_correlation"] == found.numbers["span_pixel_correlation"]
    assert not note.values["bounds_method"] and "this method is not bound" in note.text
    monkeypatch.setattr(gan, "stays_in_span", lambda config: True, raising=False)
    found, _, _ = examined(tmp_path, subject(noise=0))
    (note,) = noted(found, "training_span")
    assert note.values["bounds_method"] and "this method and the ridge" in note.text


def test_voxels_of_their_own_carry_local_decoders_out_of_the_span():
    """One of three columns of a training image is light; then all of them are."""
    columns = np.tile(np.eye(3, dtype=np.float32), (8, 1))
    images = np.repeat(columns[:, None, :, None], 3, axis=1)
    bright = np.ones((1, 3, 3, 1), np.float32)
    np.testing.assert_allclose(project_onto_span(images, bright), 1 / 3, atol=1e-6)
    voxels = columns + np.random.default_rng(0).normal(0, 0.02, columns.shape).astype(np.float32)
    config = Config(scales=(1,), decoder="linear", n_voxels=1, weights="equal")
    fitted = fit(TrainingSet(voxels, images, groups_of(images)), config, jax.random.key(0))
    np.testing.assert_allclose(fitted.reconstruct(np.ones((1, 3), np.float32)), bright, atol=0.1)


def test_noise_is_called_noise(tmp_path):
    found, _, _ = examined(tmp_path, subject(noise=1))
    assert found.numbers["identification_2way_p"] > 0.05
    assert found.numbers["noise_ceiling"] < 0.1
    (chance,) = noted(found, "chance")
    assert chance.is_warning and not chance.values["above"]


def test_fmri_replaced_by_noise_is_said_first(tmp_path):
    found, _, _ = examined(tmp_path, subject(noise=0), fmri="noise")
    assert ordered(found.notes)[0].kind == "noise_fmri"
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
    (note,) = noted(found, "near_duplicates")
    assert note.is_warning and note.text.startswith("3 test images nearly equal")


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
    assert noted(found, "near_duplicates")


@pytest.mark.parametrize(
    ("method", "options", "metrics", "named"),
    [
        ("gan", {}, ["AlexNet(2)", "LPIPS"], "Circular: AlexNet(2) and LPIPS."),
        ("gan", {"comparator": "caffenet"}, ["AlexNet(2)", "LPIPS"], "trained through CaffeNet"),
        ("gan", {"comparator": "vgg16"}, [], ""),
        ("gan", {"feature_weight": 0.0}, [], ""),
        ("local_decoders", {}, [], ""),
    ],
)
def test_metrics_through_the_network_of_the_loss_are_a_warning(method, options, metrics, named):
    config = methods.package(method).Config(**options)
    scored = [registry.metric(name) for name in ("ssim", "alexnet2", "lpips")]
    scored += [registry.EIGHT_NUMBERS[name] for name in ("alexnet2", "inception")]
    found = diagnostics.circular(methods.trained_through(method, config), scored)
    assert [note.values["metrics"] for note in found] == ([metrics] if metrics else [])
    assert all(note.is_warning and named in note.text for note in found)


def test_a_method_trained_through_a_network_of_the_eight_numbers_is_flagged_there():
    scored = [registry.metric("ssim"), *registry.EIGHT_NUMBERS.values()]
    (note,) = diagnostics.circular(("clip_vit_l14",), scored)
    assert note.values["metrics"] == ["CLIP"]


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
    (note,) = noted(found, "shared_images")
    assert note.is_warning and note.values == {"images": 2, "fold": "run 1", "folds": 2}
    assert "so are images of another fold:" in note.text
    assert not noted(found, "left_out_mean")


def test_the_noise_ceiling_is_that_of_the_rows_that_are_tested(tmp_path):
    """Images 2 and 3 have 8 trials each, of which a test row averages the 4 of one run."""
    recording = repeated_over_runs()
    options = read(default_config("gan", "virtual_subject").to_dict())
    fold = list(folds(recording, PreparationConfig(split="run")))[1]
    found = diagnostics.Diagnosis()
    diagnostics._ceiling(options, recording, [fold], found)
    assert "averages of 4 trials" in found.notes[0].text
    stimulus = recording.stimulus[8:]
    expected = noise_ceiling(recording.fmri[8:], stimulus).explainable(4)
    assert found.numbers["noise_ceiling"] == pytest.approx(float(np.median(expected)))


def test_trials_of_another_set_have_no_part_in_the_noise_ceiling(tmp_path):
    """Imagined trials of tested images, and of voxels outside of the ROI no mean to centre by."""
    rng = np.random.default_rng(0)
    stimulus = np.tile(np.arange(12, dtype=np.int32), 6)
    signal = rng.normal(size=(12, 9))[stimulus]
    seen = 5 + signal + 0.5 * rng.normal(size=signal.shape)
    tested = stimulus >= 6
    imagined = 5 + 0.1 * signal[tested] + 2 * rng.normal(size=(36, 9))
    fmri = np.concatenate([seen, imagined]).astype(np.float32)
    fmri[:, 6:] -= fmri[:, 6:].mean(axis=0)
    recording = Recording(
        fmri=fmri,
        stimulus=np.concatenate([stimulus, stimulus[tested]]),
        images=rng.integers(0, 256, (12, 4, 4, 3), np.uint8),
        run=np.zeros(len(fmri), np.int32),
        rois={"V1": np.arange(9) < 6},
        stimulus_names=tuple(map(str, range(12))),
        split=np.array((["train"] * 6 + ["test"] * 6) * 6 + ["imagery"] * 36),
    )
    config = default_config("ridge", "virtual_subject")
    config.preparation.update(roi="V1", run_centring="percent")
    (fold,) = folds(recording, PreparationConfig(roi="V1", run_centring="percent"))
    found = diagnostics.Diagnosis()
    diagnostics._ceiling(read(config.to_dict()), recording, [fold], found)
    test = (recording.split == "test").nonzero()[0]
    centred = recording.fmri[:, :6] / recording.fmri[:, :6].mean(axis=0) - 1
    expected = noise_ceiling(centred[test], recording.stimulus[test]).explainable(6)
    assert found.numbers["noise_ceiling"] == pytest.approx(float(np.median(expected)), abs=1e-3)


@pytest.mark.parametrize("n_folds", [0, 2])
def test_the_noise_ceiling_is_that_of_the_test_images_of_all_folds(tmp_path, n_folds):
    recording = repeated_over_runs()
    found, _, _ = examined(tmp_path, recording, split="stimulus", n_folds=n_folds)
    expected = noise_ceiling(recording.fmri, recording.stimulus).explainable(
        16 / 3
    )  # of 4, 4, 8 and 8
    assert found.numbers["noise_ceiling"] == pytest.approx(float(np.median(expected)))
    (note,) = noted(found, "noise_ceiling")
    assert (note.values["fewest"], note.values["most"]) == (4, 8)
    assert "averages of 4 to 8 trials" in note.text


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
    numbers = scores["diagnostics"]
    assert set(numbers) >= {"identification_2way_p", "span_pixel_correlation"}
    by_kind = {note["kind"]: note for note in scores["notes"]}
    span = by_kind["training_span"]
    assert span["values"]["pixel_correlation"] == numbers["span_pixel_correlation"]
    # Its elements have voxels of their own, so that the span does not bound it.
    assert not span["values"]["bounds_method"]
    text = html.unescape(page.read_text())
    assert all(note["text"] in text for note in by_kind.values())
    assert "Noise ceiling" in text


@pytest.mark.parametrize(("split", "runs"), [("run", 6), ("stimulus", 0)])
def test_runs_that_only_test_trials_could_centre_are_noted(tmp_path, split, runs):
    recording = subject(noise=0.5)
    grouped = np.arange(len(recording.run), dtype=np.int32) % 6
    recording = dataclasses.replace(recording, run=grouped)
    preparation = {"split": split, "n_folds": 3 if split == "run" else 4, "run_centring": "centre"}
    found, _, _ = examined(tmp_path, recording, **preparation)
    notes = noted(found, "run_centring")
    assert [note.values for note in notes] == ([{"runs": runs, "how": "centre"}] if runs else [])
    assert all(note.severity == "warning" and f"{runs} runs" in note.text for note in notes)


def test_every_doubt_about_the_recording_is_noted(make_recording):
    images = make_recording().images.copy()
    images[2] //= 255
    fmri = make_recording().fmri
    fmri[:, 3] = 7
    dark = make_recording(images=images, fmri=fmri)
    options = read(default_config("gan", "virtual_subject").to_dict())
    found = {note.values["doubt"]: note for note in diagnostics.doubtful(options, dark)}
    assert set(found) == {doubt.kind for doubt in doubts.find(dark)}
    assert found["dark_images"].is_warning and not found["constant_voxels"].is_warning
    assert found["dark_images"].text.startswith("Recording: images: 1 of 6 are nearly black")
    level = np.repeat(np.arange(3, dtype=np.float32) * 9, 8)[:, None]
    run = np.repeat(np.arange(3, dtype=np.int32), 8)
    other = make_recording(fmri=make_recording().fmri + level, run=run)
    kinds = {note.values["doubt"] for note in diagnostics.doubtful(options, other)}
    assert kinds == {"run_baselines"}
    config = default_config("gan", "virtual_subject").to_dict()
    config["preparation"]["run_centring"] = "centre"
    assert not diagnostics.doubtful(read(config), other)
