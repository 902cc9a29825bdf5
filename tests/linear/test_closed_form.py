import jax
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge

from fmri_jax.errors import InputError
from fmri_jax.linear import least_squares, ridge, univariate
from tests.linear.peers import each_target, problem

SHAPES = {"tall": {"samples": 80, "features": 20}, "wide": {"samples": 24, "features": 60}}


def subsets(X, Y, k):
    rng = np.random.default_rng(1)
    return np.sort([rng.permutation(X.shape[1])[:k] for _ in range(Y.shape[1])], axis=1)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("shape", SHAPES)
def test_least_squares(shape, own):
    X, Y = problem(**SHAPES[shape])
    selected = subsets(X, Y, 15 if shape == "tall" else 40) if own else None
    coef, intercept = least_squares(X, Y, selected)
    theirs, their_intercept = each_target(LinearRegression(), X, Y, selected)
    np.testing.assert_allclose(coef, theirs, atol=1e-4)
    np.testing.assert_allclose(intercept, their_intercept, atol=1e-3)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_least_squares_of_dependent_columns_has_the_smallest_norm(own):
    X, Y = problem(features=20)
    X[:, 9] = X[:, 4]
    X[:, 2] = 0.1
    selected = np.tile(np.arange(20), (Y.shape[1], 1)) if own else None
    coef, _ = least_squares(X, Y, selected)
    theirs, _ = each_target(LinearRegression(), X, Y)
    np.testing.assert_allclose(coef, theirs, atol=1e-4)
    np.testing.assert_allclose(coef[9], coef[4], atol=1e-5)
    np.testing.assert_allclose(coef[2], 0, atol=1e-5)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("shape", SHAPES)
def test_ridge(shape, own):
    X, Y = problem(**SHAPES[shape])
    selected = subsets(X, Y, 15 if shape == "tall" else 40) if own else None
    alpha = np.geomspace(0.1, 100, Y.shape[1])
    coef, intercept = ridge(X, Y, alpha, selected)
    for t in range(Y.shape[1]):
        one = None if selected is None else selected[t : t + 1]
        theirs, their_intercept = each_target(Ridge(alpha[t]), X, Y[:, t : t + 1], one)
        np.testing.assert_allclose(coef[:, t], theirs[:, 0], atol=1e-4)
        np.testing.assert_allclose(intercept[t], their_intercept[0], atol=1e-3)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize(
    ("samples", "offset", "unit", "alpha"),
    [(20, 0, 1, 1e-6), (50, 0, 1, 1e-8), (50, 1e4, 1e3, 1.0), (15, 1e4, 1e3, 1.0)],
)
def test_ridge_of_duplicated_voxels_with_a_penalty_at_rounding_level(
    samples, offset, unit, alpha, own
):
    rng = np.random.default_rng(0)
    X = (offset + unit * np.tile(rng.standard_normal((samples, 10)), 2)).astype(np.float32)
    Y = rng.standard_normal((samples, 2)).astype(np.float32)
    coef, _ = ridge(X, Y, alpha, np.tile(np.arange(20), (2, 1)) if own else None)
    theirs, _ = each_target(Ridge(alpha), X, Y)
    np.testing.assert_allclose(unit * coef, unit * theirs, atol=2e-4)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("solver", [least_squares, lambda *a: ridge(a[0], a[1], 1e-6, *a[2:])])
def test_trials_of_zeros_after_centred_ones_change_nothing(solver, own):
    X, Y = (values - values.mean(0) for values in problem(samples=24, features=60))
    selected = subsets(X, Y, 40) if own else None
    filled = (np.pad(values, ((0, 8), (0, 0))) for values in (X, Y))
    theirs, _ = each_target(LinearRegression(), X, Y, selected)
    np.testing.assert_allclose(solver(*filled, selected).coef, theirs, atol=1e-4)


def test_one_penalty_for_all(random_problem):
    X, Y = random_problem
    np.testing.assert_allclose(ridge(X, Y, 3.0).coef, each_target(Ridge(3.0), X, Y)[0], atol=1e-4)


@pytest.mark.parametrize(
    ("ours", "peer"), [(least_squares, LinearRegression()), (ridge, Ridge())], ids=["ls", "ridge"]
)
def test_float64(ours, peer):
    with jax.enable_x64(True):
        X, Y = (values.astype(np.float64) for values in problem(features=20))
        for selected in (None, subsets(X, Y, 12)):
            options = {} if selected is None else {"selected": selected}
            coef, intercept = ours(X, Y, **options)
            theirs, their_intercept = each_target(peer, X, Y, selected)
            np.testing.assert_allclose(coef, theirs, atol=1e-8)
            np.testing.assert_allclose(intercept, their_intercept, atol=1e-8)


def test_real_recording(miyawaki):
    X, Y = miyawaki[0], miyawaki[1][:, 20::160]
    for ours, peer in ((least_squares, LinearRegression()), (ridge, Ridge())):
        np.testing.assert_allclose(ours(X, Y).coef, each_target(peer, X, Y)[0], atol=1e-4)


def test_own_features_over_devices(random_problem):
    X, Y = random_problem
    selected = subsets(X, Y, 12)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = ridge(X, Y, selected=selected, mesh=mesh)
    np.testing.assert_allclose(split.coef, ridge(X, Y, selected=selected).coef, atol=1e-6)


def test_univariate_is_the_regression_on_the_best_feature(random_problem):
    X, Y = (values.copy() for values in random_problem)
    Y[:, 1] = 2.0
    coef, intercept = (np.asarray(part) for part in univariate(X, Y))
    for t in (0, 2, 3, 4, 5):
        r = [abs(np.corrcoef(x, Y[:, t])[0, 1]) for x in X.T]
        assert list(np.flatnonzero(coef[:, t])) == [np.argmax(r)]
        slope, offset = np.polyfit(X[:, np.argmax(r)], Y[:, t], 1)
        np.testing.assert_allclose(
            [coef[np.argmax(r), t], intercept[t]], [slope, offset], rtol=1e-4
        )
    assert np.all(coef[:, 1] == 0) and intercept[1] == 2


def test_refuses_a_penalty_that_is_not_positive(random_problem):
    X, Y = random_problem
    with pytest.raises(InputError, match="expected positive penalties"):
        ridge(X, Y, 0.0)
    for alpha in (np.inf, np.nan, 1e300, 1e-300, [1, 1, 1, 1, 1, np.inf]):
        with pytest.raises(InputError, match="expected positive penalties, finite and not zero"):
            ridge(X, Y, alpha)
    with pytest.raises(InputError, match=r"expected one number or \(6,\)"):
        ridge(X, Y, np.ones(3))


@pytest.mark.parametrize(
    ("selected", "message"),
    [
        ([[0, 1], [2, 30]], "from 0 to 30: expected integer feature indices from 0 to 7"),
        ([[0, 1], [-1, 3]], "from -1 to 3: expected integer feature indices"),
        ([[0, 1], [2, 2.5]], "float64 values: expected integer feature indices"),
        ([[0, 1], [2]], "rows of different lengths"),
        ([[True, False], [False, True]], "bool values: expected integer feature indices"),
        ([0, 1], r"shape \(2,\): expected \(2, k\)"),
        (jax.numpy.ones((2, 2)), "float32 values: expected integer feature indices"),
    ],
)
def test_indices_of_no_feature_are_rejected(selected, message):
    X, Y = np.eye(9, 8, dtype=np.float32), np.eye(9, 2, dtype=np.float32)
    with pytest.raises(InputError, match=message):
        ridge(X, Y, 1.0, selected)


def test_indices_may_be_a_list():
    X, Y = problem(features=8, targets=2)
    selected = [[0, 1], [2, 7]]
    np.testing.assert_array_equal(
        ridge(X, Y, 1.0, selected).coef, ridge(X, Y, 1.0, np.asarray(selected)).coef
    )
