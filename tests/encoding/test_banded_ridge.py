"""Banded ridge equals himalaya's, on the same kernels and candidate weights."""

import jax
import numpy as np
import pytest
from sklearn.model_selection import PredefinedSplit

from fmri_jax.encoding import banded_ridge
from fmri_jax.errors import InputError
from tests.peers import peer

ALPHAS = np.logspace(-1, 3, 4)
FOLDS = np.array([0, 1, 2] * 7 + [2, 2, 1])  # of unequal size


@pytest.fixture(scope="module")
def problem():
    """Three bands of features, of which each voxel is made of one or two, with its mean."""
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(24, width)) for width in (5, 40, 12)]
    first, second, _ = features
    responses = 3 + rng.normal(size=(24, 6))
    responses[:, :3] += first @ rng.normal(size=(5, 3))
    responses[:, 2:5] += second @ rng.normal(size=(40, 3)) / 3
    centred = [band - band.mean(axis=0) for band in features]
    return np.stack([band @ band.T for band in centred]), responses


def test_equals_himalaya(problem):
    solver = peer("himalaya.kernel_ridge").solve_multiple_kernel_ridge_random_search
    kernels, responses = problem
    candidates = banded_ridge.candidate_weights(3, 4, seed=0)
    deltas, dual, scores, intercept = solver(
        kernels,
        responses,
        n_iter=candidates.astype(float),
        alphas=ALPHAS,
        cv=PredefinedSplit(FOLDS),
        fit_intercept=True,
        return_weights="dual",
        progress_bar=False,
    )
    with jax.enable_x64(True):
        found = banded_ridge.search(kernels, responses, candidates, ALPHAS, FOLDS)
    np.testing.assert_allclose(found.errors, -scores.max(axis=0), rtol=1e-5)
    shares = np.exp(deltas)  # gamma / alpha
    np.testing.assert_allclose(found.band_weights / found.alphas, shares, rtol=1e-5, atol=1e-12)
    # himalaya's weights are those of the kernels gamma / alpha K, ours of gamma K.
    expected = np.einsum("bv,bnm,mv->nv", shares, kernels, dual)
    predicted = np.einsum("bv,bnm,mv->nv", found.band_weights, kernels, found.dual)
    np.testing.assert_allclose(predicted, expected, atol=1e-4)
    np.testing.assert_allclose(responses.mean(axis=0), intercept, rtol=1e-6)


def test_left_out_predictions_are_of_fits_without_the_fold(problem):
    kernel_ridge = peer("sklearn.kernel_ridge").KernelRidge
    kernels, responses = problem
    with jax.enable_x64(True):
        found = banded_ridge.search(kernels, responses, np.eye(3), np.full(4, ALPHAS[2]), FOLDS)
    band = int(np.argmax(found.band_weights[:, 0]))
    train, test = np.flatnonzero(FOLDS != 1), np.flatnonzero(FOLDS == 1)
    kernel = kernels[band]
    centre = np.eye(24) - np.where(FOLDS != 1, 1, 0) / len(train)  # of the training stimuli alone
    kernel = centre @ kernel @ centre.T
    mean = responses[train, 0].mean()
    fitted = kernel_ridge(alpha=ALPHAS[2], kernel="precomputed").fit(
        kernel[np.ix_(train, train)], responses[train, 0] - mean
    )
    expected = mean + fitted.predict(kernel[np.ix_(test, train)])
    np.testing.assert_allclose(found.left_out[test, 0], expected, atol=1e-4)


def test_candidates_are_on_the_simplex_and_what_does_not_fit_is_rejected(problem):
    weights = banded_ridge.candidate_weights(3, 5, seed=1)
    assert weights.shape == (9, 3) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert banded_ridge.candidate_weights(1, 5, seed=1).tolist() == [[1]]
    kernels, responses = problem
    with pytest.raises(InputError, match="one fold"):
        banded_ridge.search(kernels, responses, weights, ALPHAS, np.zeros(24))
    with pytest.raises(InputError, match="candidates"):
        banded_ridge.search(kernels, responses, weights[:, :2], ALPHAS, FOLDS)
