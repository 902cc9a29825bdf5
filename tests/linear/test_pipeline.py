import jax
import numpy as np
import pytest
from sklearn.linear_model import BayesianRidge, LinearRegression, OrthogonalMatchingPursuit, Ridge

from fmri_jax.errors import InputError
from fmri_jax.linear import fit_selected, fit_selected_sparse
from tests.linear.peers import each_pipeline, same_supports

PEERS = {
    "omp": OrthogonalMatchingPursuit(n_nonzero_coefs=10),
    "least_squares": LinearRegression(),
    "ridge": Ridge(),
    "bayesian_ridge": BayesianRidge(),
    "univariate": LinearRegression(),
}


def compare(model, X, Y, decoder, k, atol=1e-4):
    theirs = each_pipeline(PEERS[decoder], X, Y, 1 if decoder == "univariate" else k)
    coef, intercept = (np.asarray(part) for part in model)
    assert same_supports(coef, theirs[0])
    np.testing.assert_allclose(coef, theirs[0], atol=atol)
    np.testing.assert_allclose(intercept, theirs[1], atol=10 * atol)


@pytest.mark.parametrize("decoder", PEERS)
def test_random_problem(random_problem, decoder):
    X, Y = random_problem
    compare(fit_selected(X, Y, decoder, 30), X, Y, decoder, 30)


def test_real_recording_all_elements(miyawaki):
    X, Y = miyawaki
    assert Y.shape == (120, 361)
    compare(fit_selected(X, Y), X, Y, "omp", 500)


@pytest.mark.parametrize("decoder", ["least_squares", "ridge", "bayesian_ridge", "univariate"])
def test_real_recording(miyawaki, decoder):
    X, Y = miyawaki[0], miyawaki[1][:, 20::160]
    compare(fit_selected(X, Y, decoder), X, Y, decoder, 500)


def test_float64(random_problem):
    with jax.enable_x64(True):
        X, Y = (values.astype(np.float64) for values in random_problem)
        compare(fit_selected(X, Y, "omp", 30), X, Y, "omp", 30, atol=1e-8)


def test_blocks_devices_and_sparse_form(random_problem):
    X, Y = random_problem
    whole = fit_selected(X, Y, "omp", 30)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = fit_selected(X, Y, "omp", 30, mesh=mesh)
    assert same_supports(split.coef, np.asarray(whole.coef))
    np.testing.assert_allclose(split.coef, whole.coef, atol=1e-6)
    blocks = fit_selected_sparse(X, Y, "omp", 30, block=4)
    np.testing.assert_allclose(blocks.dense(X.shape[1]).coef, whole.coef, atol=1e-6)


@pytest.mark.parametrize("decoder", PEERS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_value_that_is_not_finite_is_rejected(random_problem, decoder, value):
    X, Y = (values.copy() for values in random_problem)
    X[7, 42] = value
    with pytest.raises(InputError, match="X holds 1 NaN or infinite .* row 7, column 42"):
        fit_selected(X, Y, decoder, 30)
    with pytest.raises(InputError, match="Y holds 1 NaN or infinite .* row 7, column 42"):
        fit_selected(Y, X, decoder, 30)


def test_a_number_too_large_for_float32_is_rejected(random_problem):
    X, Y = (values.astype(np.float64) for values in random_problem)
    Y[3, 2] = 1e300
    with pytest.raises(InputError, match="NaN or infinite numbers in float32"):
        fit_selected(X, Y)


def test_the_largest_finite_numbers_are_not_rejected(random_problem):
    X, Y = (values.copy() for values in random_problem)
    X[:, 0] = np.finfo(np.float32).max  # their sum is infinite
    coef = np.asarray(fit_selected(X, Y, "omp", 30).coef)
    assert np.all(coef[0] == 0) and np.all(np.isfinite(coef)) and np.any(coef)


@pytest.mark.parametrize("decoder", PEERS)
@pytest.mark.parametrize("unit", [1e-30, 1e-20, 1e20])
def test_the_unit_of_the_voxels_does_not_matter(random_problem, decoder, unit):
    """Squares of such numbers vanish or overflow in float32."""
    X, Y = random_problem
    expected = np.asarray(fit_selected(X, Y, decoder, 20).coef)
    found = np.asarray(fit_selected(np.float32(unit) * X, Y, decoder, 20).coef) * unit
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_refusals(random_problem):
    X, Y = random_problem
    with pytest.raises(InputError, match="decoder is 'lasso': expected one of omp"):
        fit_selected(X, Y, "lasso")
    with pytest.raises(InputError, match="n_voxels is 0"):
        fit_selected(X, Y, n_voxels=0)
