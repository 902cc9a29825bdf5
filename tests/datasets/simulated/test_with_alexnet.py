"""LOC, FFA and PPA over the real AlexNet: the integration of three rooms."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from fmri_jax import pretrained
from fmri_jax.data.images import resize
from fmri_jax.data.recording import Recording
from fmri_jax.datasets.simulated import VirtualSubjectConfig, simulate
from fmri_jax.datasets.simulated.deep_features import deep_features
from fmri_jax.errors import InputError
from fmri_jax.networks import AlexNet

N_TRAINING, N_TEST = 400, 50


def alexnet_features(images: np.ndarray) -> dict[str, np.ndarray]:
    params = pretrained.load("alexnet")
    scaled = images.astype(np.float32) / 255
    activations = jax.jit(AlexNet().apply)({"params": params}, scaled)
    return {name: np.asarray(activations[name]) for name in ("relu4", "relu5")}


@pytest.fixture(scope="module")
def recording() -> Recording:
    options = VirtualSubjectConfig(
        n_training=N_TRAINING,
        n_test=N_TEST,
        n_voxels=1500,
        shape_repeats=0,
        letter_repeats=0,
        features=alexnet_features,
    )
    return simulate(options)[0]


def identification(recording: Recording, roi: str, targets: np.ndarray) -> float:
    """Pairwise identification of test images by what ridge regression decodes from a region."""
    voxels = recording.rois[roi]
    mean = np.stack(
        [
            recording.fmri[recording.stimulus == k][:, voxels].mean(0)
            for k in range(N_TRAINING + N_TEST)
        ]
    )
    train = slice(N_TRAINING)
    mean = (mean - mean[train].mean(0)) / mean[train].std(0)
    decoder = RidgeCV(np.logspace(1, 4, 7)).fit(mean[train], targets[train])
    found = decoder.predict(mean[N_TRAINING:])
    correlation = np.corrcoef(found, targets[N_TRAINING:])[:N_TEST, N_TEST:]
    return float((np.diag(correlation)[:, None] > correlation).sum() / (N_TEST * (N_TEST - 1)))


def test_early_areas_hold_pixels_that_higher_areas_do_not(recording):
    pixels = resize(recording.images, 16).reshape(len(recording.images), -1) / 255
    scores = {roi: identification(recording, roi, pixels) for roi in ("VC", "V1V2", "V4", "HVC")}
    assert scores["VC"] > 0.95 and scores["V1V2"] > 0.95
    assert scores["V1V2"] > scores["V4"] > scores["HVC"]
    assert scores["HVC"] < 0.85


def test_higher_areas_hold_deep_features(recording):
    deep = alexnet_features(recording.images)["relu5"].mean((1, 2))  # which channels, not where
    deep = (deep - deep[:N_TRAINING].mean(0)) / np.maximum(deep[:N_TRAINING].std(0), 1e-6)
    scores = {roi: identification(recording, roi, deep) for roi in ("HVC", "V1V2", "V4")}
    assert scores["HVC"] > 0.95
    assert scores["HVC"] > max(scores["V1V2"], scores["V4"])


def test_a_virtual_subject_sees_images_that_alexnet_can_take(monkeypatch):
    monkeypatch.setattr("fmri_jax.pretrained.load", lambda name: pytest.fail("weights were read"))
    with pytest.raises(InputError, match=r"images of 30 x 40 px: expected at least 31 a side"):
        deep_features(np.zeros((2, 30, 40, 3), np.uint8))
