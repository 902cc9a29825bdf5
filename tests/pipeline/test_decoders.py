"""Decoders that runs keep: the same bits in a new process, and one message for each mistake."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax import report
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.errors import InputError
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run


def recorded(seed=0, **fields):
    """40 trials of 8 images, four of which are tested on; 12 voxels of very different means."""
    rng = np.random.default_rng(seed)
    stimulus = np.tile(np.arange(8, dtype=np.int32), 5)
    images = rng.integers(0, 256, (8, 8, 8, 1), np.uint8)
    mixing = rng.standard_normal((64, 12))
    fmri = images.reshape(8, 64)[stimulus] / 255 @ mixing + rng.standard_normal((40, 12))
    fmri[:, 5] = 0  # a voxel that never changes
    defaults = {
        "fmri": (10 * np.arange(12) + fmri * np.logspace(0, 3, 12)).astype(np.float32),
        "stimulus": stimulus,
        "images": images,
        "run": np.repeat(np.arange(5, dtype=np.int32), 8),
        "rois": {"V1": np.arange(12) < 8, "V2": np.arange(12) >= 6},
        "stimulus_names": tuple(map(str, range(8))),
        "split": np.where(stimulus < 4, "train", "test"),
    }
    return fj.data.Recording(**(defaults | fields))


@pytest.fixture(scope="module")
def recording():
    return recorded()


@pytest.fixture(scope="module")
def runs(recording, tmp_path_factory):
    """A run of each of two methods, over the recording's own split and over two folds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write", lambda workdir: workdir / "report.html")  # pages take long
        yield _runs(recording, tmp_path_factory)


def _runs(recording, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    save_npz(recording, folder / "recording.npz")
    gan = default_config(method="gan", data="file")
    gan.method.update(n_steps=2, width=1 / 64, hidden=8, feature_weight=0.0, adversarial_weight=0.0)
    local = default_config(method="local_decoders", data="file")
    local.method.update(decoder="ridge", weights="equal", n_voxels=5)
    local.preparation.update(split="stimulus", n_folds=2, average_repeats="none")
    for name, config in (("gan", gan), ("local", local)):
        config.data.path = str(folder / "recording.npz")
        config.preparation.roi = "V1"
        config.evaluation.update(perceptual=False, n_bootstrap=0)
        run(config, folder / name, progress=False)
    return folder


def prepared_tests(recording, **options):
    return list(folds(recording, PreparationConfig(roi="V1", **options)))


PREDICT = """
import sys, numpy as np, fmri_jax as fj
for path, trials, out in zip(*[iter(sys.argv[1:])] * 3):
    np.save(out, fj.load_decoder(path).reconstruct(np.load(trials)))
"""


@pytest.mark.filterwarnings("ignore:1 of 8 voxels are constant")
def test_a_new_process_reconstructs_the_same_bits(recording, runs, tmp_path):
    cases = {
        ("gan", "all"): prepared_tests(recording)[0],
        ("local", "stimulus group 2 of 2"): prepared_tests(
            recording, split="stimulus", n_folds=2, average_repeats="none"
        )[1],
    }
    arguments = []
    for (name, fold_name), fold in cases.items():
        np.save(tmp_path / f"{name}.npy", fold.main_test().fmri)
        place = runs / name / "decoders" / fold_name.replace(" ", "_")
        arguments += [place, tmp_path / f"{name}.npy", tmp_path / f"{name}_out.npy"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", PREDICT, *arguments], check=True, env=environment)
    for name, fold_name in cases:
        stored = np.load(runs / name / "reconstructions.npz")
        rows = (stored["split"] == "test") & (stored["fold"] == fold_name)
        found = np.load(tmp_path / f"{name}_out.npy")
        np.testing.assert_array_equal(found, stored["reconstructions"][rows])
        assert found.std() > 0


@pytest.mark.filterwarnings("ignore:1 of 8 voxels are constant")
def test_recorded_units_go_through_the_training_statistics(recording, runs):
    """All voxels, those of the ROI, averages with their number of trials: as preparation does."""
    decoder = fj.load_decoder(runs / "gan")
    fold = prepared_tests(recording)[0]
    test = recording.fmri[recording.split == "test"]
    averages = np.stack([test[i::4].mean(axis=0, dtype=np.float64) for i in range(4)])
    expected = fold.main_test().fmri
    np.testing.assert_array_equal(decoder.standardise(averages, repeats=5), expected)
    np.testing.assert_array_equal(decoder.standardise(averages[:, :8], repeats=[5] * 4), expected)
    assert np.all(expected[:, 5] == 0)
    stored = np.load(runs / "gan/reconstructions.npz")
    images = decoder.predict(averages, repeats=5)
    np.testing.assert_array_equal(images, stored["reconstructions"][stored["split"] == "test"])
    train = recording.fmri[recording.split == "train"]
    z = (train - train.mean(axis=0)) / np.where(np.arange(12) == 5, 1, train.std(axis=0))
    np.testing.assert_allclose(decoder.standardise(train), z[:, :8], atol=2e-3)
    assert decoder.predict(recording).shape == (40, 8, 8, 1)
    assert decoder.predict(train[:0]).shape == (0, 8, 8, 1)


def test_a_decoder_says_where_it_comes_from(recording, runs):
    content = json.loads((runs / "local/decoders/stimulus_group_1_of_2/decoder.json").read_text())
    assert content["format"] == 1 and content["version"] == fj.__version__
    assert content["method"] == "local_decoders" and content["config"]["decoder"] == "ridge"
    assert content["recording"]["fingerprint"] == recording.fingerprint()
    assert content["recording"]["simulated"] is False and content["fold"] == "stimulus group 1 of 2"
    assert (content["roi"], content["n_voxels"], content["image_shape"]) == ("V1", 8, [8, 8, 1])
    assert content["preparation"]["average_repeats"] == "none"
    decoder = fj.load_decoder(runs / "local/decoders/stimulus_group_1_of_2")
    assert decoder.summary()["decoder"] == "ridge" and not decoder.simulated


def test_a_run_without_its_decoders_is_resumed(runs, tmp_path):
    """As one of a version that kept none."""
    import shutil

    copy = tmp_path / "gan"
    shutil.copytree(runs / "gan", copy)
    shutil.rmtree(copy / "decoders")
    (copy / "scores.json").unlink()
    run(json.loads((copy / "config.json").read_text()), copy, progress=False)
    assert (copy / "scores.json").exists()
    with pytest.raises(InputError, match="holds no decoder"):
        fj.load_decoder(copy)


def test_saving_replaces_a_decoder_and_nothing_else(runs, tmp_path):
    decoder = fj.load_decoder(runs / "gan/decoders/all")
    decoder.save(tmp_path / "mine")
    decoder.save(tmp_path / "mine")
    rows = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    again = fj.load_decoder(tmp_path / "mine")
    np.testing.assert_array_equal(again.reconstruct(rows), decoder.reconstruct(rows))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no decoder"):
        decoder.save(tmp_path / "other")
    assert (tmp_path / "other/thesis.txt").exists()


@pytest.fixture
def damaged(runs, tmp_path):
    """A copy of a decoder that a test then changes; like one of an earlier version, unsealed."""
    folder = fj.load_decoder(runs / "gan/decoders/all").save(tmp_path / "decoder")
    (folder / "SHA256SUMS").unlink()
    return folder


def _edit(folder, **changes):
    content = json.loads((folder / "decoder.json").read_text())
    (folder / "decoder.json").write_text(json.dumps({**content, **changes}))


def test_one_changed_letter_of_a_decoder_is_noticed(runs, tmp_path):
    folder = fj.load_decoder(runs / "gan/decoders/all").save(tmp_path / "decoder")
    path = folder / "decoder.json"
    path.write_text(path.read_text().replace("0", "1", 1))
    with pytest.raises(InputError, match="decoder.json is missing or corrupt .its content is not"):
        fj.load_decoder(folder)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda f: _edit(f, format=2, version="9.1"), "format 2, written by fmri_jax 9.1"),
        (lambda f: (f / "decoder.safetensors").unlink(), "missing or corrupt"),
        (lambda f: (f / "decoder.json").write_text("{"), "missing or corrupt"),
        (lambda f: (f / "decoder.json").write_text("[]"), "missing or corrupt"),
        (lambda f: _edit(f, model={}), "missing or corrupt"),
        (lambda f: _edit(f, method="gone"), "'gone' is not a known method"),
        (
            lambda f: (f / "decoder.safetensors").write_bytes(
                (f / "decoder.safetensors").read_bytes()[:-1] + b"\x7f"
            ),
            "its content is not what was written",
        ),
        (lambda f: (f / "decoder.json").unlink(), "holds no decoder"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_message(damaged, damage, message):
    damage(damaged)
    with pytest.raises(InputError, match=message):
        fj.load_decoder(damaged)


def test_decoders_of_several_folds_have_to_be_named(runs):
    with pytest.raises(InputError, match="decoders of 2 folds: name one, such as .*stimulus_group"):
        fj.load_decoder(runs / "local")


@pytest.mark.parametrize(
    "fmri, options, message",
    [
        (np.zeros((2, 9)), {}, r"have 9 voxels and .* trained on 8 \(ROI 'V1'\) or 12"),
        (np.zeros(8), {}, "one row per trial"),
        (np.full((1, 8), np.nan), {}, "8 responses are not finite"),
        (np.array([["a"] * 8]), {}, "expected numbers"),
        (np.zeros((2, 8)), {"repeats": 0}, "repeats is 0"),
        (np.zeros((2, 8)), {"repeats": [1, 2, 3]}, "for 2 rows"),
    ],
)
def test_responses_that_do_not_fit_are_rejected(runs, fmri, options, message):
    with pytest.raises(InputError, match=message):
        fj.load_decoder(runs / "gan").predict(fmri, **options)


def test_another_subject_is_rejected_and_another_session_is_not(recording, runs):
    session = recorded(1)
    fj.load_decoder(runs / "gan", session)
    aligned = {**recording.rois, "V1": np.roll(recording.rois["V1"], 1)}
    with pytest.raises(InputError, match="region 'V1' holds other voxels"):
        fj.load_decoder(runs / "gan", dataclasses.replace(session, rois=aligned))
    fewer = dataclasses.replace(session, fmri=session.fmri[:, :8].copy(), rois={})
    with pytest.raises(InputError, match="has 8 voxels and that of the decoder 12"):
        fj.load_decoder(runs / "gan").predict(fewer)


def test_subjects_are_distinguished_by_name(tmp_path):
    from fmri_jax.methods.decoder import check_subject, identity

    one, two = (recorded(seed, subject=f"S{seed}") for seed in (1, 2))
    with pytest.raises(InputError, match="of subject 'S2' and the decoder of 'S1'"):
        check_subject(identity(one), two)
    assert check_subject(identity(one), recorded(3, subject="S1", rois={})) == ""
    assert "only the number of voxels agrees" in check_subject(identity(one), recorded(3, rois={}))
    save_npz(one, tmp_path / "one.npz")
    assert fj.load(str(tmp_path / "one.npz")).subject == "S1"
