"""Decoded features of a run: kept per fold, scored over all, imagined images apart."""

import copy
import dataclasses
import json
import pathlib
import types

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.data.recording import Recording
from fmri_jax.evaluation import fold_features
from fmri_jax.evaluation.feature_results import summarise
from fmri_jax.evaluation.feature_scores import identification, pattern_correlation
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.evaluation.scores import score
from fmri_jax.linear import dual_ridge
from fmri_jax.methods.feature_decoding import diagnostics
from fmri_jax.methods.feature_decoding.reconstructor import FeatureReconstructor
from fmri_jax.pipeline import feature_diagnostics
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from fmri_jax.report.io import workdir
from tests.pipeline.killing import killed_before_the_second_fold
from tests.report.test_page import Page

MIX = np.linalg.qr(np.random.default_rng(9).normal(size=(48, 48)))[0].astype(np.float32)


class Encoder:
    """Two layers: mixtures of pixels that can be undone, and the pixels."""

    layers = ("mixed",)

    def of_stimuli(self, images):
        pixels = images.astype(np.float32) / 255
        return {"pixels": pixels, "mixed": pixels.reshape(len(images), -1) @ MIX}


class Decoder:
    """Decodes by scikit-learn's ridge; renders by undoing the mixtures."""

    def __init__(self, fold, alphas):
        self.encoder = Encoder()
        self.config = types.SimpleNamespace(block=4, renderer="pixels")
        rows, seen = average_by_stimulus(fold.train.fmri, fold.train.stimulus)
        features = self.encoder.of_stimuli(fold.train.images[seen])
        self.training = {layer: features[layer] for layer in ("mixed", "pixels")}
        self.shapes = {layer: array.shape[1:] for layer, array in features.items()}
        self.fitted = {
            layer: Ridge(float(alphas[layer])).fit(rows, array.reshape(len(rows), -1))
            for layer, array in features.items()
        }

    def training_layers(self):
        return self.training

    def decode(self, fmri):
        return {
            layer: ridge.predict(np.asarray(fmri)).reshape(-1, *self.shapes[layer])
            for layer, ridge in self.fitted.items()
        }

    def render(self, layers):
        assert set(layers) == {"mixed"}  # pixels would give the image away
        return (layers["mixed"] @ MIX.T).reshape(-1, 4, 4, 3)


def recording_of(n: int = 30, imagined: bool = False, seed: int = 0) -> Recording:
    """Two trials of `n` images of 4 px: region "A" sees weighted sums of pixels, "B" is noise.

    Every other image is brighter. The last eight are the test set, of which six are imagined, too,
    where that is asked for.
    """
    rng = np.random.default_rng(seed)
    seeds = rng.uniform(0, 255, (5, 4, 4, 3))  # of which every image is a mixture
    images = np.tensordot(rng.dirichlet(np.ones(5), n), seeds, axes=1)
    images = np.clip(images + np.where(np.arange(n) % 2, 60, -60)[:, None, None, None], 0, 255)
    images = images.astype(np.uint8)
    stimulus = np.tile(np.arange(n, dtype=np.int32), 2)
    split = np.where(stimulus < n - 8, "train", "test")
    if imagined:
        stimulus = np.concatenate([stimulus, np.arange(n - 6, n, dtype=np.int32)])
        split = np.concatenate([split, np.full(6, "imagery")])
    signal = (images.reshape(n, -1) / 255 @ rng.normal(size=(48, 20)))[stimulus]
    fmri = np.concatenate([signal, np.zeros_like(signal)], axis=1)
    fmri = fmri + np.repeat([0.1, 1.0], 20) * rng.normal(size=fmri.shape)
    return Recording(
        fmri=fmri.astype(np.float32),
        stimulus=stimulus,
        images=images,
        run=np.zeros(len(stimulus), np.int32),
        rois={"A": np.arange(40) < 20, "B": np.arange(40) >= 20, "everything": np.ones(40, bool)},
        stimulus_names=tuple(map(str, range(n))),
        split=split,
        simulated=True,
    )


def fold_of(recording: Recording, roi: str = "all"):
    options = PreparationConfig(roi=roi, average_repeats="none")
    return next(folds(recording, options))


@pytest.fixture(scope="module")
def diagnosed():
    recording = recording_of()
    fold = fold_of(recording)
    rows, seen = average_by_stimulus(fold.train.fmri, fold.train.stimulus)
    features = Encoder().of_stimuli(fold.train.images[seen])
    grams = {layer: dual_ridge.gram(array) for layer, array in features.items()}
    alphas = dual_ridge.with_penalties(dual_ridge.decompose(rows), grams).alphas
    rois = feature_diagnostics.regions(recording, fold, "all")
    assert list(rois) == ["all", "A", "B"]
    decoder = Decoder(fold, alphas)
    return fold, decoder, diagnostics.diagnose(decoder, fold, rois, None)


def test_photographs_that_nobody_viewed_do_not_count(diagnosed):
    fold, decoder, expected = diagnosed
    more = decoder.encoder.of_stimuli(recording_of(seed=1).images)
    taught = copy.copy(decoder)
    taught.training = {
        layer: np.concatenate([array, more[layer]]) for layer, array in decoder.training.items()
    }
    rois = feature_diagnostics.regions(recording_of(), fold, "all")
    found = diagnostics.diagnose(taught, fold, rois, None)
    for layer, scores in expected.sets["test"].items():
        np.testing.assert_array_equal(found.sets["test"][layer].pattern, scores.pattern)
        np.testing.assert_array_equal(found.sets["test"][layer].decoded, scores.decoded)


def test_regions_are_decoded_by_ridge_on_their_voxels(diagnosed):
    fold, decoder, found = diagnosed
    test, scores = fold.tests["test"], found.sets["test"]["mixed"]
    own, span, everything, region_a, region_b = scores.identification
    np.testing.assert_allclose(scores.pattern[0], scores.pattern[2], atol=2e-3)
    np.testing.assert_array_equal(own, everything)
    assert region_a.mean() > 0.8 > 0.7 > region_b.mean() and span.mean() >= own.mean()
    true = decoder.encoder.of_stimuli(test.images[test.stimulus])["mixed"]
    decoded = decoder.decode(test.fmri)["mixed"]
    np.testing.assert_array_equal(own, identification(true, decoded, test.stimulus))
    training = decoder.encoder.of_stimuli(fold.train.images[np.unique(fold.train.stimulus)])[
        "mixed"
    ]
    pattern = pattern_correlation(true, decoded, training.mean(axis=0), training.std(axis=0))
    np.testing.assert_allclose(scores.pattern[0], pattern, atol=1e-5)


def test_true_features_come_back_as_the_renderer_makes_them(diagnosed):
    fold, _, found = diagnosed
    shown = found.recovered_stimulus
    assert len(shown) == 4 and set(shown) <= set(fold.tests["test"].stimulus)
    np.testing.assert_allclose(
        found.recovered, fold.train.images[shown] / np.float32(255), atol=1e-6
    )


def test_regions_count_with_their_chosen_voxels():
    recording = recording_of()
    rois = feature_diagnostics.regions(recording, fold_of(recording, "B"), "B")
    assert list(rois) == ["B"] and rois["B"].shape == (20,)
    fold = fold_of(recording)
    (name, chosen), *others = feature_diagnostics.regions(recording, fold, "all", False).items()
    assert (name, others) == ("all", []) and chosen.all()


def test_folds_are_kept_and_scored_together(diagnosed, tmp_path):
    _, _, found = diagnosed
    path = tmp_path / "folds" / "000.features.npz"
    fold_features.write(path, found)
    again = fold_features.read(path)
    assert again.regions == found.regions and list(again.sets) == ["test"]
    once = summarise([found], True).sets["test"]
    for layer, scores in summarise([again], True).sets["test"].decoded.items():
        for name, found_again in scores.items():
            np.testing.assert_allclose(found_again, once.decoded[layer][name], atol=1e-6)
    twice = summarise([found, again], False).sets["test"]
    for name in ("identification", "pattern", "profile"):
        score = once.regions["B"]["mixed"][name]
        assert score.low < score.value < score.high or name == "profile"
        assert twice.regions["B"]["mixed"][name].value == pytest.approx(score.value)
    expected = np.mean(found.sets["test"]["mixed"].identification[4])
    assert once.regions["B"]["mixed"]["identification"].value == pytest.approx(expected)
    assert feature_diagnostics.is_intact(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:300])
    assert not feature_diagnostics.is_intact(tmp_path, 0)
    assert not path.exists()  # set aside, and computed again


def test_what_differs_between_folds_is_no_profile(diagnosed):
    """A fold whose images are brighter is predicted to be darker: its training mean lacks them."""
    _, _, found = diagnosed
    scores = found.sets["test"]["mixed"]
    other = dataclasses.replace(scores, true=scores.true + 5, decoded=scores.decoded - 5)
    brighter = dataclasses.replace(found, sets={"test": {"mixed": other}})
    alone = dataclasses.replace(found, sets={"test": {"mixed": scores}})
    once, twice = (summarise(parts, False).sets["test"] for parts in ([alone], [alone, brighter]))
    expected = once.decoded["mixed"]["profile"].value
    assert twice.decoded["mixed"]["profile"].value == pytest.approx(expected, abs=1e-5)


def config_of(path: pathlib.Path, method: str, **preparation):
    config = default_config(method=method, data="file")
    config.data.path = str(path)
    config.preparation.update(preparation)
    config.evaluation.metrics = ("pixel_correlation", "identification_2way")
    config.evaluation.perceptual = False
    config.evaluation.n_bootstrap = 20
    return config


def file_of(path: pathlib.Path, recording: Recording) -> pathlib.Path:
    """The recording with images of 32 px, the fewest that AlexNet takes."""
    large = recording.images.repeat(8, axis=1).repeat(8, axis=2)
    save_npz(dataclasses.replace(recording, images=large), path)
    return path


def scores_of(folder: pathlib.Path) -> dict:
    return json.loads((folder / "scores.json").read_text())


def test_a_cluster_left_out_and_a_run_that_was_killed(tmp_path, monkeypatch):
    def blend(self, layers, *_):  # a renderer that need not be compiled
        if "pixels" in layers:
            return (0.5 * layers["pixels"] + 0.25).clip(0, 1)
        return 0.5 + 0 * layers["relu1"].mean() + np.zeros((4, 32, 32, 3), np.float32)

    monkeypatch.setattr(FeatureReconstructor, "render", blend)
    recording = dataclasses.replace(recording_of(18), split=np.full(36, "train"))
    path = file_of(tmp_path / "r.npz", recording)
    config = config_of(path, "feature_decoding", split="cluster", n_folds=2)
    config.method.update(layers=("relu1",), block=4)
    folder = tmp_path / "run"
    with killed_before_the_second_fold():
        run(config, folder, progress=False)
    kept = (folder / "folds" / "000.features.npz").stat().st_mtime_ns
    run(config, folder, progress=False)
    assert (folder / "folds" / "000.features.npz").stat().st_mtime_ns == kept
    features = scores_of(folder)["features"]
    assert list(features["sets"]) == ["test"] and features["chance"]["identification"] == 0.5
    decoded = features["sets"]["test"]["decoded"]
    assert list(decoded) == ["relu1", "pixels"]
    for part in (decoded, features["sets"]["test"]["regions"]["all"]):
        assert set(part["relu1"]) == {"identification", "pattern", "profile"}
        assert part["relu1"]["identification"]["low"] <= part["relu1"]["identification"]["value"]
    assert features["recovery"]["pixel_correlation"]["value"] == 0  # grey says nothing
    run_ = workdir.read(folder)
    bright = run_.targets.mean(axis=(1, 2, 3)) > 0.5  # each fold leaves one of the clusters out
    assert [len(np.unique(bright[run_.fold == name])) for name in run_.fold_names] == [2, 2]
    tested = run_.split == "test"
    assert [len(np.unique(bright[tested & (run_.fold == n)])) for n in run_.fold_names] == [1, 1]
    assert len(run_.recovered) == len(set(run_.recovered_stimulus)) == 2 * 4
    text = Page(folder / "report.html").text
    assert "Decoded features" in text and "Recovery check" in text and "relu1" in text
    assert "Imagery" not in text
    assert len(feature_diagnostics.read(folder, 2)) == 2
    (folder / "folds" / "001.features.npz").unlink()  # as a fold of an earlier version
    assert feature_diagnostics.read(folder, 2) == []


def test_imagined_features_are_identified_among_themselves():
    recording = recording_of(imagined=True)
    fold = fold_of(recording)
    alphas = dict.fromkeys(("mixed", "pixels"), 1.0)
    rois = feature_diagnostics.regions(recording, fold, "all")
    found = diagnostics.diagnose(Decoder(fold, alphas), fold, rois, None)
    assert list(found.sets) == ["test", "imagery"] and len(found.stimulus["imagery"]) == 6
    shares = found.sets["imagery"]["mixed"].identification * 5  # of the other five, and no more
    np.testing.assert_allclose(shares, shares.round(), atol=1e-9)
    assert list(summarise([found], False).sets) == ["test", "imagery"]


def test_imagined_images_are_scored_apart_from_seen_ones(tmp_path):
    path = file_of(tmp_path / "r.npz", recording_of(imagined=True))
    run(config_of(path, "ridge"), tmp_path / "run", progress=False)
    content, run_ = scores_of(tmp_path / "run"), workdir.read(tmp_path / "run")
    assert list(content["sets"]) == ["test", "imagery", "train"] and "features" not in content
    assert (run_.main, run_.seen_sets, run_.imagined_sets) == ("test", ["test"], ["imagery"])
    rows = run_.rows("imagery")
    expected = score(run_.targets[rows], run_.reconstructions[rows], perceptual=False)
    for metric in ("pixel_correlation", "identification_2way"):
        value = content["sets"]["imagery"][metric]["value"]
        assert value == pytest.approx(expected[metric], abs=1e-5)
    (note,) = [note for note in content["notes"] if note["kind"] == "imagery"]
    assert note["severity"] == "info" and note["values"]["images"] == 6
    assert "imagined by a simulated subject" in Page(tmp_path / "run" / "report.html").text


def test_imagery_alone_is_the_main_set_and_said_to_be(tmp_path):
    recording = recording_of(imagined=True)
    keep = recording.split != "test"
    rows = {name: getattr(recording, name)[keep] for name in ("fmri", "stimulus", "run", "split")}
    path = file_of(tmp_path / "r.npz", dataclasses.replace(recording, **rows))
    run(config_of(path, "ridge"), tmp_path / "run", progress=False)
    (note,) = [note for note in scores_of(tmp_path / "run")["notes"] if note["kind"] == "imagery"]
    assert note["severity"] == "warning"
    assert workdir.read(tmp_path / "run").main == "imagery"
