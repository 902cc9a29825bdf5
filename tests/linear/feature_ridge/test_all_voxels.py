"""Ridge on all voxels against scikit-learn, one trial per row."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from fmri_jax.linear import FeatureRidge
from fmri_jax.linear.penalties import PENALTIES
from tests.linear.feature_ridge.peers import problem

SHAPES = {"wide": 90, "tall": 20}  # voxels, for 45 trials


def unequal(**options):
    """A problem whose stimuli have one to three trials."""
    X, Y, stimulus = problem(**options)
    return X[3:], Y, stimulus[3:]


@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_one_penalty_is_ridge_of_scikit_learn(shape, standardise):
    X, Y, stimulus = unequal(voxels=SHAPES[shape], offset=20.0)
    model = FeatureRidge(None, 5.0, standardise).fit(X, Y, stimulus)
    scale = X.std(0, ddof=1) if standardise else 1
    peer = Ridge(5.0).fit(np.float64(X / scale), np.float64(Y[stimulus]))
    assert model.alpha_ == 5
    np.testing.assert_allclose(model.predict(X), peer.predict(X / scale), atol=2e-4)


@pytest.mark.parametrize(("shape", "alpha"), [("wide", "loo"), ("tall", (0.1, 10.0, 1e3, 1e5))])
def test_the_penalty_is_that_of_the_smallest_error_on_stimuli_left_out(shape, alpha):
    X, Y, stimulus = unequal(voxels=SHAPES[shape], noise=3.0)
    y = np.float64(Y[stimulus])
    choices = alpha
    if alpha == "loo":
        choices = np.array(PENALTIES) * np.sum((X - X.mean(0)) ** 2) / len(X)
    errors = [
        np.sum((cross_val_predict(Ridge(a), X, y, groups=stimulus, cv=LeaveOneGroupOut()) - y) ** 2)
        for a in choices
    ]
    best = choices[np.argmin(errors)]
    assert choices[0] < best < choices[-1]
    model = FeatureRidge(None, alpha).fit(X, Y, stimulus)
    assert model.alpha_ == pytest.approx(best, rel=1e-5)
    peer = Ridge(best).fit(np.float64(X), y)
    np.testing.assert_allclose(model.predict(X), peer.predict(X), atol=2e-4)


def test_real_recording(recordings):
    with np.load(recordings / "object2vec_subj001.npz") as data:
        X, stimulus = data["fmri"].astype(np.float64), data["stimulus"]
        Y = data["images"][:, 4::24, 4::24].reshape(len(data["images"]), -1) / 255.0
    X = (X - X.mean(0)) / X.std(0, ddof=1)
    test = stimulus % 5 == 0
    model = FeatureRidge(None, "loo").fit(X[~test], Y, stimulus[~test])
    peer = Ridge(model.alpha_).fit(X[~test], Y[stimulus[~test]])
    np.testing.assert_allclose(model.predict(X[test]), peer.predict(X[test]), atol=1e-4)
