"""Proposals from Gram columns choose as scikit-learn does, and as bfloat16 proposals do."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import OrthogonalMatchingPursuit

from fmri_jax.linear import fit_selected_sparse, lookahead
from fmri_jax.linear.design import centre_targets, design
from fmri_jax.linear.proposals import dictionary_of
from fmri_jax.linear.pursuit import pursue
from fmri_jax.linear.selection import correlate, f_test, select
from tests.linear.peers import each_target, problem, same_supports


def both_routes(X, Y, selected, atoms, tol=-1.0):
    """(indices, values) of centred features, from Gram columns and from bfloat16 products."""

    def solve(X, Y, selected, ahead):
        features, (targets, _) = design(X, standardise=False), centre_targets(Y)
        products = correlate(targets, features)
        return pursue(dictionary_of(features), targets, products, selected, atoms, tol, ahead)

    solve = jax.jit(solve, static_argnames="ahead")
    return solve(X, Y, selected, True), solve(X, Y, selected, False)


def dense(indices, values, features):
    coef = np.zeros((features + 1, len(indices)))
    coef[np.asarray(indices), np.arange(len(indices))[:, None]] = values
    return coef[:-1]  # -1 marks unused places


def compare(X, Y, selected, atoms, tol=None, atol=1e-4):
    routes = both_routes(X, Y, selected, atoms, -1.0 if tol is None else tol)
    peer = OrthogonalMatchingPursuit(n_nonzero_coefs=None if tol else atoms, tol=tol)
    theirs, _ = each_target(peer, X, Y, selected)
    for route in routes:
        ours = dense(*route, X.shape[1])
        assert same_supports(ours, theirs)
        np.testing.assert_allclose(ours, theirs, atol=atol)
    np.testing.assert_array_equal(routes[0][0], routes[1][0])


@pytest.fixture(scope="module")
def wide():
    """More voxels than trials, 40 of them for each of 40 targets: some atoms are not foreseen."""
    X, Y = problem(seed=2, samples=64, features=300, targets=40)
    return X, Y, np.asarray(select(f_test(X, Y), 40))


def test_random_problem(wide):
    compare(*wide, 10)


def test_tolerance_stops_each_target_alone(wide):
    X, Y, selected = wide
    tol = float(np.median(np.square(Y - Y.mean(0)).sum(0))) * 0.3
    compare(X, Y, selected, 40, tol, atol=1e-3)


def test_float64(wide):
    with jax.enable_x64(True):
        compare(*(values.astype(np.float64) for values in wide[:2]), wide[2], 10, atol=1e-8)


@pytest.mark.parametrize(("ahead", "together"), [(1, 3), (2, 64), (16, 1)])
def test_atoms_that_were_not_foreseen(wide, monkeypatch, ahead, together):
    monkeypatch.setattr(lookahead, "AHEAD", ahead)
    monkeypatch.setattr(lookahead, "TOGETHER", together)
    compare(*wide, 10)


def test_real_recording(miyawaki):
    X, Y = miyawaki[0], miyawaki[1][:, ::12]
    compare(X, Y, np.asarray(select(f_test(X, Y), 500)), 10)


def test_near_ties():
    """Correlations closer than the bound on rounding are told apart in full precision."""
    rng = np.random.default_rng(3)
    base = rng.standard_normal((96, 8))
    X = np.repeat(base, 16, axis=1) + 1e-3 * rng.standard_normal((96, 128))
    Y = base @ rng.standard_normal((8, 5)) + 0.1 * rng.standard_normal((96, 5))
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    compare(X, Y, np.tile(np.arange(64), (5, 1)), 3)


def test_equal_and_constant_voxels(wide):
    X, Y, _ = (values.copy() for values in wide)
    X[:, 3] = 0.1
    X[:, 30] = X[:, 7]
    Y[:, 2] = 5
    selected = np.tile(np.arange(40)[::-1], (40, 1))  # descending: the lower index comes later
    columns, products = both_routes(X, Y, selected, 10)
    np.testing.assert_array_equal(columns[0], products[0])
    np.testing.assert_allclose(columns[1], products[1], atol=1e-4)
    assert not np.isin(columns[0], [3, 30]).any() and np.isin(columns[0], 7).any()
    assert np.all(columns[0][2] == -1) and np.all(columns[1][2] == 0)


def test_stops_at_the_rank():
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((40, 3)) @ rng.standard_normal((3, 100))).astype(np.float32)
    Y = rng.standard_normal((40, 4)).astype(np.float32)
    columns, _ = both_routes(X, Y, np.tile(np.arange(25), (4, 1)), 20)
    assert np.all((np.asarray(columns[0]) >= 0).sum(1) == 3)


def test_exact_fit_stops_with_the_true_atoms():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 120)).astype(np.float32)
    truth = np.zeros((120, 3))
    truth[[1, 4, 9], [0, 0, 1]] = [2, -1, 0.5]
    Y = (X @ truth).astype(np.float32)
    columns, _ = both_routes(X, Y, np.tile(np.arange(30), (3, 1)), 10)
    ours = dense(*columns, 120)
    assert same_supports(np.abs(ours) > 1e-5, truth)
    np.testing.assert_allclose(ours, truth, atol=1e-5)


def test_blocks_and_devices(wide):
    X, Y, _ = wide
    assert lookahead.worthwhile(300, 40)  # so that these calls take the route under test
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    whole = fit_selected_sparse(X, Y, "omp", 40)
    for options in ({"block": 7}, {"mesh": mesh, "block": 3}):
        part = fit_selected_sparse(X, Y, "omp", 40, **options)
        np.testing.assert_array_equal(part.indices, whole.indices)
        np.testing.assert_allclose(part.values, whole.values, atol=1e-5)
