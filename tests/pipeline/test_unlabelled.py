"""Simulated trials of photographs that nobody viewed: from training alone, never a test image."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from fmri_jax import methods
from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.readers.npz import save_npz
from fmri_jax.encoding import search_store
from fmri_jax.errors import InputError
from fmri_jax.pipeline import experiment_config, feature_diagnostics, unlabelled
from fmri_jax.pipeline.experiment_config import default_config
from fmri_jax.pipeline.run import run
from tests.pipeline.test_feature_diagnostics import recording_of

RECORDING = recording_of()
OTHERS = 30


def others():
    """Mixtures of what the recording's images are mixtures of; none is like one of these."""
    more = recording_of(200).images[30:]
    alike = np.corrcoef(more.reshape(len(more), -1), RECORDING.images.reshape(30, -1))
    return more[np.abs(alike[: len(more), len(more) :]).max(axis=1) < 0.93][:OTHERS]


MORE = others()


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of them."""
    folder = tmp_path_factory.mktemp("photographs")
    for number, image in enumerate(MORE):
        Image.fromarray(image).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(search_store, "cache_folder", lambda: tmp_path_factory.getbasetemp())


def config_of(photographs, path="recording.npz"):
    config = default_config(method="ridge", data="file")
    config.data.path = str(path)
    config.preparation.unlabelled = str(photographs)
    config.preparation.unlabelled_features = "pixels"
    config.evaluation.update(perceptual=False, n_bootstrap=0)
    return config


def taught(photographs, recording=RECORDING, model="fitted"):
    config = config_of(photographs)
    config.preparation.unlabelled_model = model
    options = experiment_config.read(config.to_dict())
    (fold,) = folds(recording, options.preparation)
    return fold, unlabelled.taught(options, recording, fold, 0)


def test_trials_of_photographs_follow_those_that_were_recorded(photographs):
    fold, found = taught(photographs)
    n = len(fold.train.fmri)
    np.testing.assert_array_equal(found.fmri[:n], fold.train.fmri)
    assert found.fmri.shape == (n + OTHERS, 40) and found.fmri.dtype == np.float32
    shown = (found.targets()[n:] * 255).round().astype(np.uint8)
    np.testing.assert_array_equal(shown, MORE)
    assert len(found.stimulus_names) == len(found.images) and (found.run[n:] == -1).all()
    # What the voxels of region A would have given: the recording's own weights of pixels.
    flat = RECORDING.images.reshape(30, -1) / 255
    means = RECORDING.fmri[:30] / 2 + RECORDING.fmri[30:] / 2
    weights = np.linalg.lstsq(flat - flat.mean(0), means - means.mean(0), rcond=None)[0]
    expected = shown.reshape(OTHERS, -1) / 255 @ weights
    wrong = taught(photographs, model="shuffled")[1].fmri
    alike, not_alike = (
        [np.corrcoef(expected[:, v], fmri[n:, v])[0, 1] for v in range(20)]
        for fmri in (found.fmri, wrong)
    )
    assert np.median(alike) > 0.9 and np.median(not_alike) < 0.6
    spread = found.fmri[n:, 20:].std(axis=0)  # of noise, as in training, where it is 1
    np.testing.assert_allclose(spread.mean(), 1, atol=0.2)


def test_test_trials_have_no_part_in_them(photographs):
    _, found = taught(photographs)
    fmri, images = RECORDING.fmri.copy(), RECORDING.images.copy()
    test = RECORDING.split == "test"
    fmri[test] = 1e3
    images[22:] = 255 - images[22:]
    _, other = taught(photographs, dataclasses.replace(RECORDING, fmri=fmri, images=images))
    np.testing.assert_array_equal(found.fmri, other.fmri)


def test_a_test_image_among_the_photographs_is_rejected(photographs, tmp_path):
    for path in photographs.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    Image.fromarray(RECORDING.images[25]).save(tmp_path / "planted.png")
    with pytest.raises(InputError, match=r"1 photographs are images .*planted\.png: expected"):
        taught(tmp_path)
    nearly = np.clip(RECORDING.images[25].astype(int) + 2, 0, 255).astype(np.uint8)
    Image.fromarray(nearly).save(tmp_path / "planted.png")
    fold, found = taught(tmp_path)
    assert len(found.fmri) == len(fold.train.fmri) + OTHERS  # that one is left out


def test_features_that_were_decoded_with_their_help_are_scored(photographs, tmp_path):
    save_npz(RECORDING, tmp_path / "recording.npz")
    config = config_of(photographs, tmp_path / "recording.npz")
    config.method = default_config(method="feature_decoding", data="file").method
    config.method.update(layers=("relu1",), n_steps=1, network_size=32)
    run(config, tmp_path / "run", progress=False)
    (found,) = feature_diagnostics.read(tmp_path / "run", 1)
    decoded, *_ = found.sets["test"]["relu1"].identification
    assert decoded.mean() > 0.7


def test_the_method_of_a_run_learns_from_them_and_the_page_says_so(
    photographs, tmp_path, monkeypatch
):
    learned = []

    class Method:
        def fit(self, trials, context):
            learned.append(trials)
            raise InputError("seen enough")

    monkeypatch.setattr(methods.package("ridge"), "build", lambda config: Method())
    save_npz(RECORDING, tmp_path / "recording.npz")
    config = config_of(photographs, tmp_path / "recording.npz")
    with pytest.raises(InputError, match="seen enough"):
        run(config, tmp_path / "run", progress=False)
    np.testing.assert_allclose(learned[0].fmri, taught(photographs)[1].fmri, atol=1e-5)
    config.preparation.unlabelled_features = "alexnet"
    options = experiment_config.read(config.to_dict())
    (note,) = unlabelled.notes(options)
    assert "that nobody viewed" in note.text and unlabelled.networks(options) == ("alexnet",)


def test_what_cannot_be_added_is_rejected(tmp_path):
    with pytest.raises(InputError, match="n_unlabelled is 0"):
        PreparationConfig(n_unlabelled=0)
    with pytest.raises(InputError, match="expected one of the two"):
        PreparationConfig(unlabelled="photographs.zip", bottleneck=3)
    with pytest.raises(InputError, match="holds no images"):
        taught(tmp_path)


def test_methods_that_fit_no_encoding_model_learn_from_them():
    for name in ("gan", "feature_decoding", "ic_gan", "brain_diffuser", "ridge"):
        assert methods.takes_simulated(name, methods.package(name).Config())


@pytest.mark.parametrize(
    "method",
    [
        {"name": "best"},
        {"name": "gan", "response_weight": 1.0},
        {"name": "feature_decoding", "response_weight": 1.0},
        {"name": "ic_gan", "choice": "responses"},
        {"name": "brain_diffuser", "choice": "responses"},
    ],
)
def test_nothing_is_chosen_by_what_nobody_viewed(photographs, method):
    """Neither a method nor, by an encoding model that learned from another's, an image."""
    config = config_of(photographs).to_dict()
    options = experiment_config.read({**config, "method": method})
    (fold,) = folds(RECORDING, options.preparation)
    with pytest.raises(InputError, match=f"the method {method['name']} with these options cannot"):
        unlabelled.taught(options, RECORDING, fold, 0)
