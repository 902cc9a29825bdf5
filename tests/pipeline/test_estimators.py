"""Cross-validation of estimators: what a run of the same config scores, and its page."""

import json

import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax import report
from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run


@pytest.fixture(scope="module")
def recording():
    """9 images shown four times, 30 voxels that mix their pixels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 6, 6, 1), np.uint8)
    stimulus = np.tile(np.arange(9, dtype=np.int32), 4)
    signal = images.reshape(9, 36)[stimulus] / 255 @ rng.standard_normal((36, 30))
    return fj.data.Recording(
        fmri=(signal + rng.standard_normal(signal.shape)).astype(np.float32),
        stimulus=stimulus,
        images=images,
        run=np.repeat(np.arange(4, dtype=np.int32), 9),
        rois={"V1": np.arange(30) < 25},
        stimulus_names=tuple(map(str, range(9))),
        split=np.full(36, "train"),
    )


@pytest.fixture(scope="module")
def found(recording):
    return fj.cross_validate(
        fj.RidgeDecoder(), recording, cv=3, roi="V1", perceptual=False, n_bootstrap=20
    )


def test_scores_are_those_of_a_run(recording, found, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "write", lambda workdir: workdir)
    config = default_config(method="ridge", data="file")
    config.preparation.update(split="stimulus", n_folds=3, roi="V1", noise_scaling=False)
    config.evaluation.update(perceptual=False, n_bootstrap=20)
    run(config, tmp_path / "run", progress=False, recording=recording)
    scored, expected = (
        json.loads((folder / "scores.json").read_text())
        for folder in (found.folder, tmp_path / "run")
    )
    assert scored == expected
    stored = np.load(tmp_path / "run/reconstructions.npz")
    np.testing.assert_array_equal(
        found.reconstructions, stored["reconstructions"][stored["split"] == "test"]
    )
    alone = fj.metrics.score(found.targets, found.reconstructions, perceptual=False)
    for metric in ("pixel_correlation", "mse", "identification_2way"):
        assert found.scores[metric].value == pytest.approx(alone[metric], abs=1e-6)
    assert "pixel_correlation" in repr(found)


def test_ridge_as_a_method_is_the_ridge_baseline(found):
    """Two ways to the same numbers, where noise scaling is off."""
    for metric, score in found.baselines["ridge"].items():
        assert score.value == pytest.approx(found.scores[metric].value, abs=1e-5)


def test_the_page_is_one_file_and_names_the_method(found, tmp_path):
    page = found.report(tmp_path / "pages/report.html")
    text = page.read_text()
    assert "RidgeDecoder, cross-validated" in text and "penalty" in text
    assert "RidgeDecoder()" in text and 'src="figures' not in text


def test_each_fold_has_a_decoder_that_never_saw_its_images(found, recording):
    decoders = found.decoders
    assert list(decoders) == [f"stimulus group {i} of 3" for i in (1, 2, 3)]
    rows = recording.fmri[np.isin(recording.stimulus, [0, 3, 6])]
    stimuli = recording.stimulus[np.isin(recording.stimulus, [0, 3, 6])]
    averages = np.stack([rows[stimuli == s].mean(axis=0) for s in (0, 3, 6)])
    first = next(iter(decoders.values())).predict(averages, repeats=4)
    np.testing.assert_allclose(first, found.reconstructions[:3], atol=1e-5)


def test_a_folder_is_resumed_and_belongs_to_its_recording(found, recording, tmp_path, monkeypatch):
    monkeypatch.setattr(
        report, "write", lambda workdir: (workdir / "report.html").write_text("page")
    )
    options = {"cv": None, "by": "run", "perceptual": False, "n_bootstrap": 0}
    decoder = fj.MultiScaleDecoder(scales=1, decoder="ridge", weights="equal", n_voxels=9)
    folder = tmp_path / "kept"
    once = fj.cross_validate(decoder, recording, folder=folder, **options)
    written = (folder / "scores.json").stat().st_mtime_ns
    again = fj.cross_validate(decoder, recording, folder=folder, **options)
    assert (folder / "scores.json").stat().st_mtime_ns == written
    assert once.scores == again.scores and len(again.decoders) == 4
    other = fj.data.Recording(**{**vars_of(recording), "fmri": recording.fmri + 1})
    with pytest.raises(InputError, match="begun with another recording"):
        fj.cross_validate(decoder, other, folder=folder, **options)


def vars_of(recording):
    return {name: getattr(recording, name) for name in recording.__dataclass_fields__}


@pytest.mark.parametrize(
    "decoder, options, message",
    [
        (3, {}, "decoder is a int: expected an estimator"),
        (fj.RidgeDecoder(), {"cv": 20}, "n_folds=20"),
        (fj.RidgeDecoder(), {"by": "given"}, "names no test trials"),
        (fj.RidgeDecoder(), {"by": "subject"}, "'subject' is not a known value"),
        (fj.RidgeDecoder(penalties=(-1.0,)), {}, "expected one or more positive numbers"),
    ],
)
def test_what_cannot_be_used_is_rejected(recording, decoder, options, message):
    with pytest.raises(InputError, match=message):
        fj.cross_validate(decoder, recording, perceptual=False, **options)
