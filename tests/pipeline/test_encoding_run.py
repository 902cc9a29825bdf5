"""`fmri-jax encode`: cross-validated encoding models, resumed by folds, and their page."""

import csv
import dataclasses
import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

from fmri_jax import data
from fmri_jax.cli import main
from fmri_jax.commands.encode import _reader_options
from fmri_jax.encoding.options import Options
from fmri_jax.errors import InputError
from fmri_jax.evaluation.noise_ceiling import noise_ceiling
from fmri_jax.pipeline import encoding_run

STIMULI, REPEATS, VOXELS = 30, 3, 8


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Voxels of V1 that weigh pixels, and noise in LOC; three trials of each image."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (STIMULI, 4, 4, 1), np.uint8)
    signal = images.reshape(STIMULI, 16) / 64 @ rng.normal(size=(16, VOXELS))
    signal[:, 5:] = 0
    stimulus = np.tile(np.arange(STIMULI), REPEATS).astype(np.int32)
    fmri = (signal[stimulus] + rng.normal(size=(len(stimulus), VOXELS))).astype(np.float32)
    path = tmp_path_factory.mktemp("recording") / "mine.npz"
    masks = np.arange(VOXELS) < 5
    np.savez(
        path,
        fmri=fmri - fmri.min(),
        stimulus=stimulus,
        images=images,
        roi_names=["V1", "LOC"],
        roi_masks=[masks, ~masks],
    )
    return path


def encode(recording, workdir, *more):
    options = ("--features", "pixels", "--n-folds", "3", "--n-bootstrap", "50")
    return main(["encode", str(recording), "--workdir", str(workdir), *options, *more])


@pytest.fixture(scope="module")
def finished(recording, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "encode"
    assert encode(recording, workdir) == 0
    return workdir


def test_scores_of_regions_and_voxels(finished, recording):
    found = json.loads((finished / "encoding.json").read_text())
    arrays = np.load(recording)
    explainable = noise_ceiling(arrays["fmri"], arrays["stimulus"]).explainable(REPEATS)
    v1, noise = found["regions"]["V1"], found["regions"]["LOC"]
    assert v1["explainable"] == pytest.approx(np.median(explainable[:5]), rel=1e-3)
    assert found["main"] == "pixels" and found["models"] == ["pixels", "shuffled images"]
    score = v1["models"]["pixels"]["normalised"]
    assert 0.5 < score["low"] < score["value"] < score["high"] < 1.1
    assert abs(v1["models"]["shuffled images"]["normalised"]["value"]) < 0.5
    assert v1["models"]["pixels"]["predicted"] == 1 > noise["models"]["pixels"]["predicted"]
    with (finished / "voxels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["regions"] for row in rows] == ["V1"] * 5 + ["LOC"] * 3
    for row, share in zip(rows, explainable, strict=True):
        assert float(row["explainable"]) == pytest.approx(share, abs=1e-3)
    inside = [float(row["normalised pixels"]) for row in rows[:5]]
    assert np.median(inside) == pytest.approx(score["value"], abs=1e-3)


def test_left_out_stimuli_are_predicted_without_themselves(finished, recording):
    """The kept predictions of a fold are those of a model fitted to the other stimuli."""
    from fmri_jax.encoding import EncodingModel

    arrays = np.load(recording)
    kept = np.load(finished / "folds" / "0.npz")
    inside = ~np.isin(arrays["stimulus"], kept["stimulus"])
    means = np.stack([arrays["fmri"][arrays["stimulus"] == s].mean(axis=0) for s in range(STIMULI)])
    shown = np.unique(arrays["stimulus"][inside])
    model = EncodingModel(features="pixels").fit(arrays["images"][shown], means[shown])
    mean, std = means[shown].mean(axis=0), means[shown].std(axis=0)
    expected = (model.predict(arrays["images"][kept["stimulus"]]) - mean) / std
    np.testing.assert_allclose(kept["predicted/0"], expected, atol=2e-3)


def test_imagined_trials_have_no_part_in_the_noise_ceiling(recording, tmp_path):
    arrays = dict(np.load(recording))
    rng, n = np.random.default_rng(1), len(arrays["stimulus"])
    test = arrays["stimulus"] < 10
    imagined = rng.normal(arrays["fmri"].mean(), 3, (30, VOXELS)).astype(np.float32)
    arrays["fmri"] = np.concatenate([arrays["fmri"], imagined])
    arrays["stimulus"] = np.concatenate([arrays["stimulus"], np.arange(30) % 10])
    arrays["split"] = np.append(np.where(test, "test", "train"), ["imagery"] * 30)
    np.savez(tmp_path / "mine.npz", **arrays)
    options = ("--features", "pixels", "--n-bootstrap", "50", "--workdir", str(tmp_path / "run"))
    assert main(["encode", str(tmp_path / "mine.npz"), *options]) == 0
    tested = arrays["fmri"][:n][test], arrays["stimulus"][:n][test]
    expected = np.median(noise_ceiling(*tested).explainable(REPEATS)[:5])
    found = json.loads((tmp_path / "run" / "encoding.json").read_text())
    assert found["regions"]["V1"]["explainable"] == pytest.approx(expected, rel=1e-3)


def test_images_that_depend_on_one_another_are_left_out_together(recording, tmp_path, caplog):
    arrays = dict(np.load(recording))
    arrays["groups"] = np.arange(STIMULI) % 7
    np.savez(tmp_path / "movies=7.npz", **arrays)
    options = ("--features", "pixels", "--n-bootstrap", "50")
    path = str(tmp_path / "movies=7.npz")
    by_group, by_stimulus = tmp_path / "group", tmp_path / "stimulus"
    assert main(["encode", path, *options, "--workdir", str(by_group)]) == 0
    folds = sorted((by_group / "folds").iterdir())
    assert len(folds) == 7
    for fold in folds:
        assert len(np.unique(np.load(fold)["stimulus"] % 7)) == 1
    assert "Images of 7 groups" not in caplog.text
    assert (
        main(["encode", path, *options, "--split", "stimulus", "--workdir", str(by_stimulus)]) == 0
    )
    assert "--split group leaves out groups as a whole" in caplog.text
    assert "Images of 7 groups" in (by_stimulus / "report.html").read_text()
    assert "Images of 7 groups" not in (by_group / "report.html").read_text()


def test_values_of_a_readers_options_may_hold_an_equals_sign():
    found = _reader_options(
        ["--data.roi", "ROI_V1 = 1", "--data.images=/d/a=b", "--data.delay", "4"]
    )
    assert found == {"roi": "ROI_V1 = 1", "images": "/d/a=b", "delay": 4}
    with pytest.raises(InputError, match="data.delay has no value"):
        _reader_options(["--data.roi", "a=b", "--data.delay"])
    with pytest.raises(InputError, match="--roi is no option of encode"):
        _reader_options(["--roi=V1"])


def test_the_page_is_self_contained_and_says_what_was_done(finished):
    page = (finished / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "shuffled images" in page and "less than 10 % explainable variance" in page
    assert "spikes" not in page and "V1" in page


def test_a_stopped_run_resumes_with_the_same_numbers(finished, recording, tmp_path, monkeypatch):
    before = (finished / "encoding.json").read_text()
    (finished / "folds" / "1.npz").unlink()
    (finished / "folds" / "2.npz").write_bytes(b"no archive")
    from fmri_jax.pipeline import encoding_folds

    fitted = []
    fit = encoding_folds.fitted.fit
    monkeypatch.setattr(encoding_folds.fitted, "fit", lambda *a: fitted.append(1) or fit(*a))
    assert encode(recording, finished) == 0
    assert len(fitted) == 2 and (finished / "encoding.json").read_text() == before
    assert encode(recording, finished, "--grid", "2") == 2  # another run's folder


def test_seen_images_are_identified_among_photographs_but_themselves(recording, tmp_path):
    """Two of the photographs are images of the recording: they are no candidates."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    rng = np.random.default_rng(1)
    own = np.load(recording)["images"][:2].repeat(3, axis=-1)
    for number, image in enumerate([*own, *rng.integers(0, 256, (12, 4, 4, 3), np.uint8)]):
        Image.fromarray(image).save(photographs / f"{number}.png")
    more = ("--identify-among", str(photographs), "--roi", "V1")
    assert encode(recording, tmp_path / "run", *more) == 0
    found = json.loads((tmp_path / "run/encoding.json").read_text())
    own = found["identification"]
    assert own["photographs"] == 12 and own["chance_top_1"] == pytest.approx(1 / 13)
    assert own["top_1"]["value"] > 0.5 > own["top_1_by_wrong"]["value"]
    assert own["top_10"]["value"] >= own["top_1"]["value"]
    page = (tmp_path / "run/report.html").read_text()
    assert "among 12 other photographs" in page and "7.7 %" in page


def test_spikes_are_called_spikes_and_wrong_words_are_named(recording, tmp_path, capsys):
    assert encode(recording, tmp_path / "spikes", "--spikes", "--roi", "V1") == 0
    page = (tmp_path / "spikes/report.html").read_text()
    assert "spikes of neurons, not fMRI" in page and "Voxels" not in page
    found = json.loads((tmp_path / "spikes/encoding.json").read_text())
    assert found["preparation"]["transform"] == "sqrt" and list(found["regions"]) == ["V1"]
    for more, message in {
        ("--layers", "conv1"): "has no layer 'conv1'",
        ("--speed", "9"): "--speed is no option of encode",
        ("--data.speed", "9"): "speed",
        ("--n-bootstrap", "3"): "expected at least 20",
    }.items():
        assert encode(recording, tmp_path / "none", *more) == 2
        assert message in capsys.readouterr().err


def test_a_recording_that_says_so_is_of_spikes(recording):
    request = encoding_run.Request("a.npz", {}, Options(), pathlib.Path())
    kinds = [dataclasses.replace(data.load(str(recording)), modality=m) for m in ("fMRI", "spikes")]
    said = [
        encoding_run._config(request, kind, encoding_run._preparation(request, kind))["data"]
        for kind in kinds
    ]
    assert [each["spikes"] for each in said] == [False, True]
