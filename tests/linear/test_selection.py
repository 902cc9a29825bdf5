import jax
import numpy as np
import pytest
from sklearn.feature_selection import SelectKBest, f_regression

from fmri_jax.errors import InputError
from fmri_jax.linear import f_test, select


def sklearn_f(X, Y):
    X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    return np.stack([f_regression(X, y)[0] for y in Y.T], axis=1)


def test_f_test_equals_f_regression(random_problem, miyawaki):
    for X, Y in (random_problem, miyawaki):
        np.testing.assert_allclose(f_test(X, Y), sklearn_f(X, Y), rtol=1e-3, atol=1e-5)


def test_float64(random_problem):
    with jax.enable_x64(True):
        X, Y = (values.astype(np.float64) for values in random_problem)
        np.testing.assert_allclose(f_test(X, Y), sklearn_f(X, Y), rtol=1e-9)


def test_constant_and_perfect_columns(random_problem):
    X, Y = (values.copy() for values in random_problem)
    X[:, 0], Y[:, 0], X[:, 1] = 0.25, 3.0, Y[:, 1]
    F = np.asarray(f_test(X, Y))
    assert np.all(F[0] == 0) and np.all(F[:, 0] == 0)
    assert F[1, 1] > 1e6 and np.all(np.isfinite(F))


def test_a_large_offset_does_not_spoil_the_statistic(random_problem):
    """Raw scanner intensities: a mean of thousands, changes of a few."""
    X, Y = random_problem
    shifted = (X + np.float32(4096)).astype(np.float32)
    np.testing.assert_allclose(f_test(shifted, Y), sklearn_f(shifted, Y), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("unit", [1e-30, 1e-25, 1e-20, 1e20, 1e30])
def test_the_unit_does_not_matter(random_problem, unit):
    """Squares of such numbers vanish or overflow in float32."""
    X, Y = random_problem
    expected = f_test(X, Y)
    np.testing.assert_allclose(f_test(np.float32(unit) * X, Y), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(f_test(X, np.float32(unit) * Y), expected, rtol=1e-4, atol=1e-6)


def test_what_float32_can_hardly_hold_is_constant(random_problem):
    X, Y = random_problem
    assert np.all(np.asarray(f_test(np.float32(1e-38) * X, Y)) == 0)


def test_select_has_scikit_learns_rule_for_ties_and_nan():
    F = np.array([[1, 2, 2, 2, 0, np.nan, 3], [0, 0, 0, 0, 0, 0, 0], [np.nan] * 7]).T
    for k in (1, 2, 3, 6, 7):
        ours = select(F, k)
        for t in range(3):
            peer = SelectKBest(lambda X, y, t=t: F[:, t], k=k).fit(np.zeros((9, 7)), np.zeros(9))
            np.testing.assert_array_equal(ours[t], peer.get_support(indices=True))
    assert select(F, 99).shape == (3, 7)


def test_refusals():
    with pytest.raises(InputError, match="k is 0"):
        select(np.zeros((4, 2)), 0)
    with pytest.raises(InputError, match="expected \\(features, targets\\)"):
        select(np.zeros(4), 1)
