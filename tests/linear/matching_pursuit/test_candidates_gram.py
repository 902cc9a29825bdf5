"""Proposals from Gram columns choose as scikit-learn does, and as bfloat16 proposals do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import OrthogonalMatchingPursuit

from fmri_jax.linear import fit_selected_sparse
from fmri_jax.linear.design import Design, centre_targets, design
from fmri_jax.linear.matching_pursuit import candidates_gram
from fmri_jax.linear.matching_pursuit.candidates_bf16 import Proposal, choose, dictionary_of
from fmri_jax.linear.matching_pursuit.candidates_gram import (
    add_column,
    propose_from,
    start_lookahead,
)
from fmri_jax.linear.matching_pursuit.solver import omp_bytes
from fmri_jax.linear.matching_pursuit.steps import pursue
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
    monkeypatch.setattr(candidates_gram, "AHEAD", ahead)
    monkeypatch.setattr(candidates_gram, "TOGETHER", together)
    compare(*wide, 10)


def test_real_recording(miyawaki):
    X, Y = miyawaki[0], miyawaki[1][:, ::12]
    compare(X, Y, np.asarray(select(f_test(X, Y), 500)), 10)


def test_the_choice_is_exact_however_far_off_the_proposals_are():
    """Bounds that are up to three hundredths of the norms too high, in an order of their own."""
    rng = np.random.default_rng(3)
    features, residual = rng.standard_normal((80, 64)), rng.standard_normal((30, 64))
    features, residual = (jnp.asarray(a, jnp.float32) for a in (features, residual))
    dictionary = dictionary_of(Design(features, jnp.zeros(80), jnp.ones(80)))
    selected = jnp.asarray([rng.permutation(80)[:40] for _ in range(30)], jnp.int32)
    exact = np.abs(np.asarray(residual, np.float64) @ np.asarray(features, np.float64).T)
    exact = np.take_along_axis(exact, np.asarray(selected), axis=1)
    size = np.linalg.norm(residual, axis=1, keepdims=True)
    per_norm = 0.03 * size
    high = np.asarray(dictionary.norm)[selected] * per_norm * rng.uniform(0, 2, exact.shape)
    assert np.any(np.argmax(exact + high, axis=1) != np.argmax(exact, axis=1))
    proposal = Proposal(*(jnp.asarray(a, jnp.float32) for a in (exact + high, per_norm)))
    active = jnp.arange(30) != 4
    place, feature, _ = choose(
        dictionary, residual, proposal, selected, active, jnp.zeros(30, jnp.float32)
    )
    active = np.asarray(active)
    np.testing.assert_array_equal(place[active], np.argmax(exact, axis=1)[active])
    np.testing.assert_array_equal(feature, np.asarray(selected)[np.arange(30), place])


def test_proposals_bound_the_correlations_from_above_and_not_by_much():
    """Of voxels that hardly differ, whose coefficients are large: rounding is what is left."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((96, 1))
    X = (base + 1e-3 * rng.standard_normal((96, 120))).astype(np.float32)
    Y = (base + rng.standard_normal((96, 6))).astype(np.float32)
    features, (targets, _) = design(X, standardise=False), centre_targets(Y)
    dictionary, selected = dictionary_of(features), jnp.tile(jnp.arange(30), (6, 1))
    ahead = start_lookahead(dictionary, correlate(targets, features), selected, 3)
    places = jnp.asarray(rng.permutation(30)[:3], jnp.int32)
    coefficients = jnp.asarray(300 * rng.standard_normal((6, 3)), jnp.float32)
    for step, place in enumerate(places):
        wanted, at = jnp.ones(6, bool), jnp.full(6, place)
        ahead = add_column(dictionary, selected, ahead, at, jnp.int32(step), wanted)
    chosen, free = jnp.tile(places, (6, 1)), jnp.ones((6, 30), bool)
    size = jnp.linalg.norm(targets, axis=1)
    found = propose_from(dictionary, ahead, coefficients, chosen, free, size)
    rows, y, c = (np.asarray(a, np.float64) for a in (features.rows, targets, coefficients))
    exact = np.abs((y - c @ rows[np.asarray(places)]) @ rows[:30].T)
    slack = np.asarray(dictionary.norm)[:30] * np.asarray(found.per_norm)
    assert np.all(exact <= found.bound) and np.all(found.bound <= exact + 2 * slack)
    assert np.any(exact > found.bound - slack)  # without its slack it would be no bound


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
    assert candidates_gram.worthwhile(300, 40)  # so that these calls take the route under test
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    whole = fit_selected_sparse(X, Y, "omp", 40)
    for options in ({"block": 7}, {"mesh": mesh, "block": 3}):
        part = fit_selected_sparse(X, Y, "omp", 40, **options)
        np.testing.assert_array_equal(part.indices, whole.indices)
        np.testing.assert_allclose(part.values, whole.values, atol=1e-5)


def test_memory_is_counted_for_columns_only_where_there_are_any():
    """So that targets which may use every voxel are still solved in large blocks."""
    none, some = omp_bytes((1320, 50_000), 50_000, 10), omp_bytes((1320, 50_000), 12_500, 10)
    assert none < 2e6 and some - none >= 4 * 12_500 * (candidates_gram.AHEAD + 10)
