import jax
import numpy as np
import pytest
from sklearn.linear_model import BayesianRidge

from fmri_jax.errors import InputError
from fmri_jax.linear import bayesian_ridge, fit_selected
from tests.linear.peers import each_pipeline, each_target, problem

SHAPES = {"tall": {"samples": 80, "features": 20}, "wide": {"samples": 24, "features": 60}}


def subsets(X, Y, k):
    rng = np.random.default_rng(1)
    return np.sort([rng.permutation(X.shape[1])[:k] for _ in range(Y.shape[1])], axis=1)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_scikit_learn(shape, own):
    X, Y = problem(**SHAPES[shape])
    selected = subsets(X, Y, 15 if shape == "tall" else 40) if own else None
    theirs, their_intercept = each_target(BayesianRidge(), X, Y, selected)
    coef, intercept = bayesian_ridge(X, Y, selected)
    # One wide target is explained without noise; there float32 carries three digits, not four.
    atol = 1e-3 if shape == "wide" else 1e-4
    np.testing.assert_allclose(coef, theirs, atol=atol)
    np.testing.assert_allclose(intercept, their_intercept, atol=10 * atol)
    with jax.enable_x64(True):
        coef, intercept = bayesian_ridge(X.astype(np.float64), Y.astype(np.float64), selected)
    np.testing.assert_allclose(coef, theirs, atol=1e-8)
    np.testing.assert_allclose(intercept, their_intercept, atol=1e-8)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_float32_stays_float32_where_jax_keeps_64_bits(random_problem, own):
    X, Y = random_problem
    selected = subsets(X, Y, 15) if own else None
    with jax.enable_x64(True):
        coef, intercept = bayesian_ridge(X, Y, selected)
    assert coef.dtype == intercept.dtype == np.float32
    theirs, _ = each_target(BayesianRidge(), X, Y, selected)
    np.testing.assert_allclose(coef, theirs, atol=1e-4)


def test_real_recording(miyawaki):
    X, Y = miyawaki[0][:, ::4], miyawaki[1][:, 20::160]
    np.testing.assert_allclose(
        bayesian_ridge(X, Y).coef, each_target(BayesianRidge(), X, Y)[0], atol=1e-4
    )


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_degenerate_columns_and_targets(own):
    X, Y = (values.copy() for values in problem(features=20))
    X[:, 3], X[:, 9], Y[:, 2] = 0.1, X[:, 7], 5.0
    selected = np.tile(np.arange(20), (Y.shape[1], 1)) if own else None
    coef, intercept = bayesian_ridge(X, Y, selected)
    theirs, _ = each_target(BayesianRidge(), X, Y)
    np.testing.assert_allclose(coef, theirs, atol=1e-4)
    np.testing.assert_allclose(coef[9], coef[7], atol=1e-5)
    np.testing.assert_allclose(coef[:, 2], 0, atol=1e-6)
    np.testing.assert_allclose(intercept[2], 5, atol=1e-5)


def test_iterations_and_tolerance_are_those_of_scikit_learn(random_problem):
    X, Y = random_problem
    for options in ({"max_iter": 2}, {"tol": 0.1}):
        theirs, _ = each_target(BayesianRidge(**options), X, Y)
        np.testing.assert_allclose(bayesian_ridge(X, Y, **options).coef, theirs, atol=1e-4)


@pytest.mark.usefixtures("as_accelerators")
def test_blocks_and_devices_do_not_change_the_answer(random_problem):
    X, Y = random_problem
    selected = subsets(X, Y, 15)
    whole = bayesian_ridge(X, Y, selected)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    for options in ({"block": 4}, {"mesh": mesh}):
        part = bayesian_ridge(X, Y, selected, **options)
        np.testing.assert_allclose(part.coef, whole.coef, atol=1e-5)


def test_refusals(random_problem):
    X, Y = random_problem
    with pytest.raises(InputError, match="max_iter is 0"):
        bayesian_ridge(X, Y, max_iter=0)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize(
    ("x_unit", "y_unit"),
    [(1e-30, 1), (1e-4, 1), (1e18, 1), (1e30, 1), (1, 1e-30), (1, 1e20), (1, 1e30), (1e30, 1e30)],
)
def test_numbers_whose_squares_float32_cannot_hold(random_problem, x_unit, y_unit, own):
    X, Y = random_problem[0] * np.float32(x_unit), random_problem[1] * np.float32(y_unit)
    selected = subsets(X, Y, 15) if own else None
    coef, intercept = (np.asarray(part, np.float64) for part in bayesian_ridge(X, Y, selected))
    theirs, their_intercept = each_target(BayesianRidge(), X, Y, selected)
    predicted, expected = X @ coef + intercept, X @ theirs + their_intercept
    np.testing.assert_allclose(predicted / y_unit, expected / y_unit, atol=1e-4)


def test_large_targets_in_the_pipeline(random_problem):
    X, Y = random_problem[0], random_problem[1] * np.float32(1e20)
    theirs, _ = each_pipeline(BayesianRidge(), X, Y, 15)
    coef = fit_selected(X, Y, "bayesian_ridge", 15).coef
    np.testing.assert_allclose(coef / 1e20, theirs / 1e20, atol=1e-4)
