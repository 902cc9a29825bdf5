"""LOC, FFA and PPA over the real AlexNet: the integration of three rooms."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from fmri_jax import pretrained
from fmri_jax.data.images import resize
from fmri_jax.data.session import Session
from fmri_jax.data.virtual_subject import VirtualSubjectConfig, simulate
from fmri_jax.networks import AlexNet

N_TRAINING, N_TEST = 400, 50


def alexnet_features(images: np.ndarray) -> dict[str, np.ndarray]:
    params = pretrained.load("alexnet")
    scaled = images.astype(np.float32) / 255
    activations = jax.jit(AlexNet().apply)({"params": params}, scaled)
    return {name: np.asarray(activations[name]) for name in ("relu4", "relu5")}


@pytest.fixture(scope="module")
def session() -> Session:
    options = VirtualSubjectConfig(
        n_training=N_TRAINING,
        n_test=N_TEST,
        n_voxels=1500,
        shape_repeats=0,
        letter_repeats=0,
        features=alexnet_features,
    )
    return simulate(options)[0]


def identification(session: Session, roi: str, targets: np.ndarray) -> float:
    """Pairwise identification of test images by what ridge regression decodes from a region."""
    voxels = session.rois[roi]
    mean = np.stack(
        [session.fmri[session.stimulus == k][:, voxels].mean(0) for k in range(N_TRAINING + N_TEST)]
    )
    train = slice(N_TRAINING)
    mean = (mean - mean[train].mean(0)) / mean[train].std(0)
    decoder = RidgeCV(np.logspace(1, 4, 7)).fit(mean[train], targets[train])
    found = decoder.predict(mean[N_TRAINING:])
    correlation = np.corrcoef(found, targets[N_TRAINING:])[:N_TEST, N_TEST:]
    return float((np.diag(correlation)[:, None] > correlation).sum() / (N_TEST * (N_TEST - 1)))


def test_early_areas_hold_pixels_that_higher_areas_do_not(session):
    pixels = resize(session.images, 16).reshape(len(session.images), -1) / 255
    scores = {roi: identification(session, roi, pixels) for roi in ("VC", "V1V2", "V4", "HVC")}
    assert scores["VC"] > 0.95 and scores["V1V2"] > 0.95
    assert scores["V1V2"] > scores["V4"] > scores["HVC"]
    assert scores["HVC"] < 0.85


def test_higher_areas_hold_deep_features(session):
    deep = alexnet_features(session.images)["relu5"].mean((1, 2))  # which channels, not where
    deep = (deep - deep[:N_TRAINING].mean(0)) / np.maximum(deep[:N_TRAINING].std(0), 1e-6)
    scores = {roi: identification(session, roi, deep) for roi in ("HVC", "V1V2", "V4")}
    assert scores["HVC"] > 0.95
    assert scores["HVC"] > max(scores["V1V2"], scores["V4"])
