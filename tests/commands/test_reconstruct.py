"""`fmri-jax reconstruct`: a kept decoder on another session, its own test trials, imagery."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

import fmri_jax as fj
from fmri_jax import report
from fmri_jax.cli import main
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run


def session(seed, first=0, **fields):
    """Trials of 8 images, the last two of them tests; the same voxels in each session."""
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 1), np.uint8)[first : first + 8]
    mixing = np.random.default_rng(1).standard_normal((36, 40))
    stimulus = np.tile(np.arange(8, dtype=np.int32), 3)
    noise = np.random.default_rng(seed).standard_normal((24, 40))
    fmri = 5 + images.reshape(8, 36)[stimulus] / 255 @ mixing + 0.3 * noise
    defaults = {
        "fmri": fmri.astype(np.float32),
        "stimulus": stimulus,
        "images": images,
        "run": np.repeat(np.arange(3, dtype=np.int32), 8),
        "rois": {"V1": np.arange(40) < 35},
        "stimulus_names": tuple(f"picture/{first + i}" for i in range(8)),
        "split": np.where(stimulus < 6, "train", "test"),
        "subject": "S1",
    }
    return fj.data.Recording(**(defaults | fields))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run of ridge regression on session 1, with its decoder."""
    folder = tmp_path_factory.mktemp("runs")
    config = default_config(method="ridge", data="file")
    config.preparation.update(roi="V1", noise_scaling=False)
    config.evaluation.update(perceptual=False, n_bootstrap=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write", lambda workdir: workdir)
        run(config, folder / "run", progress=False, recording=session(1))
    return folder / "run"


@pytest.fixture
def no_page(monkeypatch):
    monkeypatch.setattr(report, "write", lambda folder: folder / "report.html")


def reconstruct(decoder, new, out, *more):
    flags = ["--out", str(out), "--no-perceptual", "--n-bootstrap", "20", *more]
    return main(["reconstruct", str(decoder), str(new), *flags])


def scores(folder):
    return json.loads((folder / "scores.json").read_text())


def test_its_own_test_trials_give_what_the_run_gave(kept, tmp_path, no_page, capsys):
    save_npz(session(1), tmp_path / "one.npz")
    assert reconstruct(kept, tmp_path / "one.npz", tmp_path / "out") == 0
    found = np.load(tmp_path / "out/reconstructions.npz")
    stored = np.load(kept / "reconstructions.npz")
    test = stored["split"] == "test"
    np.testing.assert_array_equal(found["reconstructions"], stored["reconstructions"][test])
    np.testing.assert_array_equal(found["targets"], stored["targets"][test])
    known, now = scores(kept), scores(tmp_path / "out")
    for metric in ("pixel_correlation", "mse", "identification_2way"):
        expected = known["sets"]["test"][metric]["value"]
        assert now["sets"]["test"][metric]["value"] == pytest.approx(expected, abs=1e-6)
    assert not any(note["kind"] == "shared_images" for note in now["notes"])
    assert "Pixel correlation" in capsys.readouterr().out


def test_another_session_is_scored_with_a_warning_on_known_images(kept, tmp_path, capsys):
    new = session(2, first=5, split=np.full(24, "train"))
    save_npz(new, tmp_path / "two.npz")
    assert reconstruct(kept, tmp_path / "two.npz", tmp_path / "out", "--average", "no") == 0
    decoder, found = fj.load_decoder(kept), np.load(tmp_path / "out/reconstructions.npz")
    np.testing.assert_array_equal(found["reconstructions"], decoder.predict(new.fmri))
    stored = scores(tmp_path / "out")
    expected = fj.metrics.score(
        new.images[new.stimulus], decoder.predict(new.fmri), perceptual=False
    )
    for metric, value in expected.items():
        assert stored["sets"]["test"][metric]["value"] == pytest.approx(value, abs=1e-6)
    (note,) = [note for note in stored["notes"] if note["kind"] == "shared_images"]
    assert note["severity"] == "warning" and note["values"]["images"] == 1  # of 5 to 12: only 5
    assert stored["baselines"]["shuffled_fmri"]["pixel_correlation"]["value"] < 0.5
    pictures = sorted((tmp_path / "out/images").iterdir())
    assert len(pictures) == 24 and pictures[1].name == "00001_picture_6.png"
    pixels = np.asarray(Image.open(pictures[1]))
    np.testing.assert_array_equal(pixels, np.rint(255 * found["reconstructions"][1, ..., 0]))
    assert "also shown in training" in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize("other", ["test", "imagery"])
def test_training_trials_of_another_session_are_a_test_set_like_any_other(
    kept, tmp_path, no_page, other
):
    new = session(2, first=8)
    save_npz(
        dataclasses.replace(new, split=np.where(new.stimulus < 6, "train", other)),
        tmp_path / "new.npz",
    )
    assert reconstruct(kept, tmp_path / "new.npz", tmp_path / "out") == 0
    sets = scores(tmp_path / "out")["sets"]
    assert set(sets) == {other, "training trials"}
    found = np.load(tmp_path / "out/reconstructions.npz")
    assert (found["split"] == "training trials").sum() == 6
    expected = fj.metrics.score(found["targets"], found["reconstructions"], perceptual=False)
    values = [sets[name]["mse"]["value"] for name in ("training trials", other)]
    assert np.average(values, weights=[6, 2]) == pytest.approx(expected["mse"], abs=1e-6)


def test_runs_are_centred_in_the_voxels_of_the_decoder_alone(tmp_path):
    """In scanner units those outside of the region may have no mean to take a share of."""
    recording = session(1)
    fmri = 20 + recording.fmri
    fmri[:, 35:] -= fmri[:, 35:].mean(axis=0)
    recording = dataclasses.replace(recording, fmri=fmri)
    config = default_config(method="ridge", data="file")
    config.preparation.update(roi="V1", run_centring="percent", average_repeats="none")
    config.evaluation.update(perceptual=False, n_bootstrap=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write", lambda workdir: workdir)
        run(config, tmp_path / "run", progress=False, recording=recording)
    decoder = fj.load_decoder(tmp_path / "run")
    baseline = [fmri[recording.run == r, :35].mean(axis=0) for r in range(3)]
    centred = 100 * (fmri[:, :35] / np.stack(baseline)[recording.run] - 1)
    np.testing.assert_allclose(decoder.predict(recording), decoder.predict(centred), atol=1e-4)


def test_imagery_without_images_gives_images_and_a_page(kept, tmp_path, capsys):
    rows = session(3).fmri[:3]
    np.savez(tmp_path / "imagery.npz", fmri=rows, names=["a cat", "a <dog>", "../x"], subject="S1")
    assert reconstruct(kept, tmp_path / "imagery.npz", tmp_path / "out") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out/report.html")
    found = np.load(tmp_path / "out/reconstructions.npz")
    np.testing.assert_array_equal(found["reconstructions"], fj.load_decoder(kept).predict(rows))
    page = (tmp_path / "out/report.html").read_text()
    assert "a &lt;dog&gt;" in page and page.count("<figure") == 3 and "nothing is scored" in page
    names = [path.name for path in sorted((tmp_path / "out/images").iterdir())]
    assert names == ["00000_a_cat.png", "00001_a_dog.png", "00002_x.png"]
    assert not (tmp_path / "out/scores.json").exists()


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"subject": "S2"}, "of subject 'S2' and the decoder of 'S1'"),
        ({"fmri": np.zeros((24, 39), np.float32), "rois": {}}, "has 39 voxels and that of"),
        ({"rois": {"V1": np.arange(40) < 34}}, "region 'V1' holds other voxels"),
        ({"images": np.zeros((8, 6, 6, 3), np.uint8)}, "those of training were (6, 6, 1)"),
        ({"images": np.arange(8 * 36, dtype=np.uint8).reshape(8, 4, 9, 1)}, ""),
    ],
)
def test_what_does_not_fit_is_one_message(kept, tmp_path, capsys, no_page, fields, message):
    save_npz(session(2, first=8, **{"split": np.full(24, "train")} | fields), tmp_path / "new.npz")
    code = reconstruct(kept, tmp_path / "new.npz", tmp_path / "out")
    said = capsys.readouterr().err
    assert code == (2 if message else 0) and message in said
    assert len(said.splitlines()) == bool(message)


def test_an_unknown_person_is_a_warning(kept, tmp_path, no_page):
    new = session(2, first=8, rois={}, subject="", split=np.full(24, "train"))
    save_npz(new, tmp_path / "new.npz")
    assert reconstruct(kept, tmp_path / "new.npz", tmp_path / "out") == 0
    warnings = [n["text"] for n in scores(tmp_path / "out")["notes"] if n["severity"] == "warning"]
    assert any("only the number of voxels agrees" in text for text in warnings)
