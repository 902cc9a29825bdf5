"""FeatureRidge as a scikit-learn estimator, and what methods keep of it."""

import json
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.utils.estimator_checks import check_estimator

import fmri_jax as fj
from fmri_jax.errors import InputError
from fmri_jax.linear import FeatureRidge
from fmri_jax.linear.feature_ridge import FittedRidge
from tests.linear.feature_ridge.peers import problem


@pytest.mark.filterwarnings("ignore")
def test_the_contract_of_scikit_learn():
    expected = {"check_regressor_multioutput": "predictions are float32, as everything computed"}
    results = check_estimator(
        FeatureRidge(3, 1.0), expected_failed_checks=expected, on_skip=None, on_fail=None
    )
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert not failed
    assert sum(r["status"] == "passed" for r in results) > 45


@pytest.mark.parametrize("n_voxels", [12, 40, None])
def test_targets_per_stimulus_and_per_trial_are_the_same(n_voxels):
    X, Y, stimulus = problem(units=8)
    once = FeatureRidge(n_voxels, 3.0).fit(X, Y.reshape(16, 2, 4), stimulus)
    every = FeatureRidge(n_voxels, 3.0).fit(X, Y[stimulus].reshape(48, 2, 2, 2))
    found = once.predict(X)
    assert found.shape == (48, 2, 4) and found.dtype == np.float32
    assert every.predict(X).shape == (48, 2, 2, 2)
    np.testing.assert_allclose(every.predict(X).reshape(48, 2, 4), found, atol=1e-5)
    more = np.concatenate([Y, np.full((3, 8), 1e3, np.float32)])  # stimuli without a trial
    np.testing.assert_array_equal(
        FeatureRidge(n_voxels, 3.0).fit(X, more, stimulus).predict(X), found.reshape(48, 8)
    )


@pytest.mark.parametrize("n_voxels", [12, None])
def test_state_and_copies_predict_the_same(n_voxels):
    X, Y, stimulus = problem(units=8)
    model = fj.linear.FeatureRidge(n_voxels).fit(X, Y.reshape(16, 2, 4), stimulus)
    expected = model.predict(X)
    arrays, options = model.fitted_.state()
    restored = FittedRidge.restore(arrays, json.loads(json.dumps(options)))
    np.testing.assert_array_equal(restored.predict(X), expected)
    assert restored.penalty == 100 and restored.shape == (2, 4)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)
    assert not hasattr(clone(model), "fitted_")


@pytest.mark.parametrize(("n_voxels", "alpha"), [(12, 3.0), (None, 3.0), (None, "loo")])
def test_units_over_devices_are_those_of_one(n_voxels, alpha):
    X, Y, stimulus = problem(units=10)  # which four devices cannot share evenly
    one = FeatureRidge(n_voxels, alpha).fit(X, Y, stimulus)
    for n_devices in (4, None):
        several = FeatureRidge(n_voxels, alpha, n_devices=n_devices).fit(X, Y, stimulus)
        assert several.alpha_ == pytest.approx(one.alpha_, rel=1e-6)
        np.testing.assert_allclose(several.predict(X), one.predict(X), rtol=1e-5, atol=1e-5)


def test_a_grid_search_over_whole_stimuli():
    X, Y, stimulus = problem(stimuli=24)
    grid = {"n_voxels": [5, None], "alpha": [1.0, 1e5]}
    search = GridSearchCV(FeatureRidge(), grid, cv=GroupKFold(3), error_score="raise")
    search.fit(X, Y[stimulus], groups=stimulus)
    assert search.best_params_["alpha"] == 1 and search.best_score_ > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_voxels": 0}, "n_voxels is 0: expected 1 or more"),
        ({"n_devices": 9}, "n_devices is 9: expected 1 to 4, the devices that JAX sees, or None"),
        ({"n_devices": 0}, "n_devices is 0: expected 1 to 4"),
        ({"n_voxels": 2.5}, "n_voxels is 2.5: expected 1 or more"),
        ({"alpha": 0}, "alpha is 0: expected a positive number"),
        ({"alpha": "gcv"}, "alpha is 'gcv': expected a positive number, several, or 'loo'"),
        ({"alpha": "loo"}, "a penalty is chosen where all voxels are used"),
        ({"alpha": (1.0, 2.0)}, "a penalty is chosen where all voxels are used"),
        ({"alpha": (), "n_voxels": None}, "expected a positive number, several"),
        ({"alpha": np.nan, "n_voxels": None}, "expected a positive number, several"),
    ],
)
def test_options_that_cannot_be_used(options, message):
    X, Y, stimulus = problem()
    with pytest.raises(InputError, match=message):
        FeatureRidge(**options).fit(X, Y, stimulus)


def test_arrays_that_cannot_be_used():
    X, Y, stimulus = problem()
    model = FeatureRidge(5)
    with pytest.raises(InputError, match="16 rows and stimulus goes up to 16"):
        model.fit(X, Y, stimulus + 1)
    with pytest.raises(InputError, match=r"shape \(47,\).*expected \(48,\)"):
        model.fit(X, Y, stimulus[1:])
    with pytest.raises(InputError, match="type float64"):
        model.fit(X, Y, stimulus.astype(float))
    with pytest.raises(ValueError, match="Y contains NaN"):
        model.fit(X, np.where(Y > 4, np.nan, Y), stimulus)
    with pytest.raises(InputError, match="divide the responses by a constant"):
        model.fit(1e19 * X, Y, stimulus)
