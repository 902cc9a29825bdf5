"""Decoders of all elements against scikit-learn, one pipeline an element."""

import numpy as np
import pytest
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import BayesianRidge, LinearRegression, OrthogonalMatchingPursuit, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fmri_jax import linear
from fmri_jax.methods.local_decoders import decoders
from fmri_jax.methods.local_decoders.bases import basis, sizes_of
from fmri_jax.methods.local_decoders.decoders import analyse, fit_elements
from fmri_jax.methods.local_decoders.options import Config

PEERS = {
    "omp": (40, lambda: OrthogonalMatchingPursuit(n_nonzero_coefs=4)),
    "linear": (8, LinearRegression),
    "ridge": (40, lambda: Ridge(alpha=7.0)),
    "univariate": (1, LinearRegression),
    "bayesian_ridge": (40, BayesianRidge),
}


@pytest.fixture(scope="module")
def recorded():
    """50 trials (not a multiple of the filled-up count), 60 voxels, 4x4 images."""
    rng = np.random.default_rng(0)
    images = (rng.random((50, 4, 4, 1)) < 0.5).astype(np.float32)
    images[:, 0, 0] = 0  # never on
    mixing = rng.standard_normal((16, 60)) * (rng.random((16, 60)) < 0.3)
    fmri = 3 + images.reshape(50, 16) @ mixing + 0.5 * rng.standard_normal((50, 60))
    return fmri.astype(np.float32), images


@pytest.mark.parametrize("decoder", PEERS)
def test_equals_a_scikit_learn_pipeline_an_element(recorded, decoder):
    fmri, images = recorded
    elements = basis(sizes_of(2), 4, 4)
    n_voxels, peer = PEERS[decoder]
    config = Config(decoder=decoder, n_voxels=n_voxels, n_nonzero=4, alpha=7.0)
    predicted = np.asarray(fit_elements(fmri, images, elements, config).predict(fmri))
    targets = analyse(images, elements)
    for element in range(0, elements.n_elements, 3):
        pipeline = make_pipeline(
            SelectKBest(f_regression, k=n_voxels), StandardScaler(), peer()
        ).fit(fmri.astype(float), targets[:, element].astype(float))
        np.testing.assert_allclose(predicted[:, element], pipeline.predict(fmri), atol=2e-4)


@pytest.mark.parametrize("n_voxels", [55, 60], ids=["own", "shared"])
@pytest.mark.parametrize("alpha", [1e-8, 1e-6, 1e-4, 1e-2])
def test_ridge_of_any_penalty_where_voxels_outnumber_trials(recorded, alpha, n_voxels):
    fmri, images = (values[:40] for values in recorded)
    config = Config(decoder="ridge", n_voxels=n_voxels, alpha=alpha)
    predicted = fit_elements(fmri, images, basis(sizes_of(1), 4, 4), config).predict(recorded[0])
    contrast = images.reshape(40, 16).astype(float)
    for element in (1, 6, 15):
        pipeline = make_pipeline(
            SelectKBest(f_regression, k=n_voxels), StandardScaler(), Ridge(alpha=alpha)
        ).fit(fmri.astype(float), contrast[:, element])
        theirs = pipeline.predict(recorded[0])
        np.testing.assert_allclose(np.asarray(predicted)[:, element], theirs, atol=1e-3)


@pytest.mark.parametrize("decoder", ["linear", "ridge", "bayesian_ridge"])
def test_one_factorisation_for_all_voxels_equals_one_for_each_element(recorded, decoder):
    fmri, images = recorded
    elements = basis(sizes_of(1), 4, 4)
    config = Config(decoder=decoder, n_voxels=60, alpha=7.0)
    predicted = np.asarray(fit_elements(fmri, images, elements, config).predict(fmri))
    peer = PEERS[decoder][1]()
    pipeline = make_pipeline(StandardScaler(), peer)
    for element in (0, 5, 15):
        pipeline.fit(fmri.astype(float), images.reshape(50, 16)[:, element].astype(float))
        np.testing.assert_allclose(predicted[:, element], pipeline.predict(fmri), atol=1e-3)


def test_an_element_that_never_changes_is_predicted_as_it_is(recorded):
    fmri, images = recorded
    elements = basis(sizes_of(1), 4, 4)
    predicted = fit_elements(fmri, images, elements, Config(n_nonzero=4)).predict(fmri)
    np.testing.assert_allclose(predicted[:, 0], 0, atol=1e-6)


def test_channels_are_decoded_by_themselves(recorded):
    fmri, images = recorded
    elements = basis(sizes_of(2), 4, 4)
    config = Config(n_nonzero=4)
    colour = np.concatenate([images, 1 - images], axis=-1)
    both = np.asarray(fit_elements(fmri, colour, elements, config).predict(fmri))
    one = np.asarray(fit_elements(fmri, images, elements, config).predict(fmri))
    np.testing.assert_allclose(both[:, ::2], one, atol=1e-4)
    np.testing.assert_allclose(both[:, 1::2], 1 - one, atol=1e-4)


def test_sparse_logistic_decoders_predict_proportions(recorded):
    fmri, images = recorded
    elements = basis(sizes_of(2), 4, 4)
    config = Config(decoder="sparse_logistic", n_voxels=15)
    model = fit_elements(fmri, images, elements, config)
    predicted = np.asarray(model.predict(fmri))
    targets = analyse(images, elements)
    assert predicted.min() >= 0 and predicted.max() <= 1
    assert np.corrcoef(predicted.ravel(), targets.ravel())[0, 1] > 0.8
    place, pixels = 40, 4  # an element of 2x2 pixels
    assert elements.masks[place].sum() == pixels
    best = np.asarray(linear.select(linear.f_test(fmri, targets), 15))[place]
    alone = linear.sparse_logistic(fmri[:, best], targets[:, [place]], trials=pixels)
    np.testing.assert_allclose(alone.predict(fmri[:, best])[:, 0], predicted[:, place], atol=1e-3)


def test_receptive_fields_predict_means_of_their_own_pixels(recorded):
    fmri, images = recorded
    config = Config(decoder="receptive_fields", alpha=100.0, prior_scale=2)
    coarse, fine = basis(sizes_of(2), 4, 4), basis(sizes_of(1), 4, 4)
    pixels = np.asarray(fit_elements(fmri, images, fine, config).predict(fmri))
    means = np.asarray(fit_elements(fmri, images, coarse, config).predict(fmri))
    np.testing.assert_allclose(means, pixels @ coarse.analysis, atol=1e-4)


@pytest.mark.parametrize("decoder", ["omp", "sparse_logistic"])
def test_elements_that_do_not_differ_in_training_are_solved_once(recorded, decoder, monkeypatch):
    fmri, images = recorded[0], recorded[1][:, [0, 0, 0, 0]]  # four equal rows
    elements = basis(sizes_of(2), 4, 4)
    config = Config(decoder=decoder, n_voxels=20, n_nonzero=4)
    solve, counts = decoders._regress, []
    monkeypatch.setattr(decoders, "_regress", lambda *a: counts.append(a[1].shape[1]) or solve(*a))
    models = []
    for multiple in (1000, 8):
        monkeypatch.setattr(decoders, "TARGETS", multiple)
        models.append(fit_elements(fmri, images, elements, config))
    every, distinct = models
    np.testing.assert_allclose(distinct.coef, every.coef, atol=1e-5)
    np.testing.assert_allclose(distinct.intercept, every.intercept, atol=1e-4)
    # Of each size 4 or 3 differ: 14 of 49, filled up to 16.
    assert counts == ([49, 16] if decoder == "omp" else [])
