"""Ridge on each unit's own voxels against fastl2lir, its formulas and closed forms."""

import os
import subprocess

import jax
import numpy as np
import pytest

from fmri_jax.linear import FeatureRidge
from fmri_jax.linear.feature_ridge import fitted, prepare, selected
from fmri_jax.linear.feature_ridge.fitted import Options
from tests.linear.feature_ridge.peers import dense, fastl2lir, problem

REAL = """
import sys, numpy as np, fastl2lir
data = np.load(sys.argv[1])
model = fastl2lir.FastL2LiR()
model.fit(data["X"], data["Y"], alpha=float(data["alpha"]), n_feat=int(data["k"]))
np.savez(sys.argv[2], W=model.W, b=model.b)
"""


def mesh_of(devices):
    auto = jax.sharding.AxisType.Auto
    return jax.make_mesh((devices,), ("data",), axis_types=(auto,), devices=jax.devices()[:devices])


def fit(X, Y, stimulus, k, alpha, **options):
    model = FeatureRidge(k, alpha, **options).fit(X, Y, stimulus)
    return dense(model.fitted_.model, X.shape[1])


@pytest.mark.parametrize("offset", [0.0, 30.0], ids=["centred", "recorded units"])
def test_voxels_and_coefficients_are_those_of_fastl2lir(offset):
    X, Y, stimulus = problem(offset=offset)
    coef, intercept = fit(X, Y, stimulus, 12, 10.0)
    expected, expected_intercept = fastl2lir(X, Y[stimulus], 10.0, 12)
    np.testing.assert_array_equal(coef != 0, expected != 0)
    np.testing.assert_allclose(coef, expected, atol=1e-4)
    np.testing.assert_allclose(intercept, expected_intercept, atol=1e-3)


def test_the_package_itself_gives_the_same(tmp_path):
    python = os.environ.get("FASTL2LIR_PYTHON")
    if not python:
        pytest.skip(
            "compares with fastl2lir, which needs NumPy < 2.3: make an environment with it and set "
            "FASTL2LIR_PYTHON to its interpreter"
        )
    X, Y, stimulus = problem(stimuli=60, voxels=150, units=20, offset=1.0)
    np.savez(tmp_path / "in.npz", X=X, Y=Y[stimulus], alpha=100.0, k=50)
    arguments = [python, "-c", REAL, tmp_path / "in.npz", tmp_path / "out.npz"]
    subprocess.run(arguments, check=True, capture_output=True, timeout=120)
    coef, intercept = fit(X, Y, stimulus, 50, 100.0)
    with np.load(tmp_path / "out.npz") as theirs:
        np.testing.assert_array_equal(coef != 0, theirs["W"] != 0)
        np.testing.assert_allclose(coef, theirs["W"], atol=1e-4)
        np.testing.assert_allclose(intercept, theirs["b"][0], atol=1e-4)


def test_standardised_is_fastl2lir_between_z_scores():
    X, Y, stimulus = problem(offset=50.0)
    X, stimulus = X[5:], stimulus[5:]  # unequal repeats: means over trials and stimuli differ
    model = FeatureRidge(12, 20.0, standardise=True).fit(X[8:], Y, stimulus[8:])
    x_mean, x_std = X[8:].mean(0, np.float64), X[8:].std(0, np.float64, ddof=1)
    y_mean, y_std = Y.mean(0, np.float64), Y.std(0, np.float64, ddof=1)
    W, b = fastl2lir((X[8:] - x_mean) / x_std, ((Y - y_mean) / y_std)[stimulus[8:]], 20.0, 12)
    expected = (((X[:8] - x_mean) / x_std) @ W + b) * y_std + y_mean
    np.testing.assert_allclose(model.predict(X[:8]), expected, atol=2e-4)


def test_real_recording(recordings):
    with np.load(recordings / "object2vec_subj001.npz") as data:
        X, stimulus = data["fmri"].astype(np.float64), data["stimulus"]
        Y = data["images"][:, 4::24, 4::24, :1].reshape(len(data["images"]), -1) / 255.0
    X = (X - X.mean(0)) / X.std(0, ddof=1)
    Y = (Y - Y.mean(0)) / Y.std(0, ddof=1)
    coef, intercept = fit(X, Y, stimulus, 100, 100.0)
    expected, expected_intercept = fastl2lir(X, Y[stimulus], 100.0, 100)
    np.testing.assert_array_equal(coef != 0, expected != 0)
    np.testing.assert_allclose(coef, expected, atol=1e-4)
    np.testing.assert_allclose(intercept, expected_intercept, atol=1e-4)


@pytest.mark.parametrize("trials", [48, 30])
def test_more_voxels_than_there_are_means_all_with_the_same_penalty(trials):
    X, Y, stimulus = problem(offset=1.0)
    X, stimulus = X[:trials], stimulus[:trials]
    model = FeatureRidge(500, 10.0).fit(X, Y, stimulus)
    W, b = fastl2lir(X, Y[stimulus], 10.0, 40)
    np.testing.assert_allclose(model.predict(X), X @ W + b, atol=1e-3)


@pytest.mark.usefixtures("as_accelerators")
@pytest.mark.parametrize("devices", [1, 4])
def test_the_program_for_accelerators_gives_the_same(devices):
    X, Y, stimulus = problem(offset=1.0)
    Y[:, 2] = 5
    responses, options = prepare(X, stimulus), Options(12, 10.0)
    expected = fitted.fit(responses, Y, options).model
    found = fitted.fit(responses, Y, options, mesh_of(devices)).model
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-5)


@pytest.mark.parametrize("k", [6, 40])
def test_a_dead_unit_is_predicted_as_what_it_was(k):
    X, Y, stimulus = problem(offset=3.0)
    alive = FeatureRidge(k, 10.0).fit(X, Y[:, :2], stimulus).predict(X)
    Y[:, 1:] = np.float32([0.1, 0, -7, 1e4, 0.1, 0.3])
    found = FeatureRidge(k, 10.0).fit(X, Y, stimulus).predict(X)
    np.testing.assert_array_equal(found[:, 1:], np.broadcast_to(Y[0, 1:], (48, 6)))
    np.testing.assert_allclose(found[:, 0], alive[:, 0], atol=1e-6)


@pytest.mark.parametrize("on_devices", [False, True])
def test_constant_voxels_come_last_and_of_equal_ones_the_later(on_devices):
    X, Y, stimulus = problem(voxels=10)
    X[:, [3, 9]] = 0.1, 1e3
    X[:, 5] = X[:, 2]
    mesh = mesh_of(1) if on_devices else None
    for k in (4, 8, 9):
        indices = fitted.fit(prepare(X, stimulus), Y, Options(k, 1.0), mesh).model.indices
        assert np.all(np.diff(indices) > 0)
        for row in indices:
            assert not {3, 9} & set(row.tolist()) or k == 9
            assert 2 not in row or 5 in row
    assert all(9 in row for row in indices)


@pytest.mark.parametrize("on_devices", [False, True])
def test_dependent_voxels_and_a_tiny_penalty(on_devices):
    X, Y, stimulus = problem(voxels=20, noise=0.5)
    X = np.concatenate([X, X, X[:, :3]], axis=1)
    responses, mesh = prepare(X, stimulus), mesh_of(1) if on_devices else None
    coef, intercept = dense(fitted.fit(responses, Y, Options(30, 1e-5), mesh).model, 43)
    for unit in range(Y.shape[1]):
        chosen = np.flatnonzero(coef[:, unit])
        W, b = fastl2lir(X[:, chosen], Y[stimulus, unit : unit + 1], 1e-5, len(chosen))
        np.testing.assert_allclose(coef[chosen, unit], W[:, 0], atol=1e-3)
        np.testing.assert_allclose(intercept[unit], b[0], atol=1e-3)


def test_best_are_the_largest():
    scores = np.float32([3, 1, 2, 3, 2, -1, 2])
    assert selected.best(scores, 2).tolist() == [0, 3]
    assert selected.best(scores, 1).tolist() == [3]
    assert selected.best(scores, 4).tolist() == [0, 3, 4, 6]
    assert selected.best(scores, 6).tolist() == [0, 1, 2, 3, 4, 6]
