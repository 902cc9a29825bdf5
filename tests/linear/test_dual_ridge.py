"""The dual map against scikit-learn's Ridge, and its left-out predictions against fits without."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fmri_jax.linear import dual_ridge


@pytest.fixture(
    params=[(12, 30), (30, 18), (40, 12)], ids=["more voxels", "more stimuli", "far more stimuli"]
)
def data(request):
    n, voxels = request.param
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, voxels)).astype(np.float32) + 2
    y = (x[:, :3] @ rng.standard_normal((3, 7)) + rng.standard_normal((n, 7)) + 5).astype(
        np.float32
    )
    return x, y, rng.standard_normal((4, voxels)).astype(np.float32)


def fitted_at(x, alpha):
    return dual_ridge.decompose(x).replace(alphas={"layer": np.float32(alpha)})


@pytest.mark.parametrize("alpha", [0.3, 20.0])
def test_weights_of_training_features_predict_as_scikit_learn(data, alpha):
    x, y, new = data
    weights = np.asarray(fitted_at(x, alpha).weights(new, "layer"))
    mean = y.mean(axis=0)
    peer = Ridge(alpha=alpha, solver="svd").fit(x.astype(np.float64), y)
    np.testing.assert_allclose(weights @ (y - mean) + mean, peer.predict(new), atol=2e-3)


def test_left_out_weights_predict_as_a_fit_without_the_stimulus(data):
    x, y, _ = data
    found = np.asarray(fitted_at(x, 3.0).left_out_weights("layer")) @ y
    mean = y.mean(axis=0)
    deviations = np.asarray(fitted_at(x, 3.0).left_out("layer", y - mean))
    some = np.asarray(fitted_at(x, 3.0).left_out("layer", y - mean, np.array([3, 1])))
    np.testing.assert_allclose(some, deviations[[3, 1]], atol=1e-5)
    for i in range(len(x)):
        rest = np.arange(len(x)) != i
        peer = Ridge(alpha=3.0, solver="svd").fit(x[rest].astype(np.float64), y[rest])
        np.testing.assert_allclose(found[i], peer.predict(x[i : i + 1])[0], atol=5e-3)
        np.testing.assert_allclose(mean + deviations[i], peer.predict(x[i : i + 1])[0], atol=5e-3)


def test_the_penalty_is_that_of_the_smallest_error_of_fits_without_each_stimulus(data):
    x, y, _ = data
    penalties = (1e-3, 1e-1, 1.0, 10.0)
    # Unit and noise alone ask for other penalties.
    layers = {"signal": y, "noise": np.random.default_rng(1).standard_normal(y.shape)}
    grams = {name: dual_ridge.gram(values.astype(np.float32)) for name, values in layers.items()}
    found = dual_ridge.with_penalties(dual_ridge.decompose(x), grams, penalties)
    shaped = {name: values.astype(np.float32)[:, None] for name, values in layers.items()}
    direct = dual_ridge.with_penalties_for(dual_ridge.decompose(x), shaped, penalties)
    centred = x - x.mean(axis=0)
    unit = np.square(centred.astype(np.float64)).sum() / len(x)
    for name, values in layers.items():
        errors = []
        for penalty in penalties:
            error = 0.0
            for i in range(len(x)):
                rest = np.arange(len(x)) != i
                peer = Ridge(alpha=penalty * unit, solver="svd").fit(x[rest], values[rest])
                error += np.square(peer.predict(x[i : i + 1])[0] - values[i]).sum()
            errors.append(error)
        expected = penalties[int(np.argmin(errors))] * unit
        np.testing.assert_allclose(found.alphas[name], expected, rtol=1e-4)
        np.testing.assert_allclose(direct.alphas[name], expected, rtol=1e-4)
    assert found.alphas["noise"] > found.alphas["signal"]


def test_voxels_that_never_vary_change_nothing(data):
    x, y, new = data
    plain = np.asarray(fitted_at(x, 1.0).weights(new, "layer"))
    wider = np.asarray(
        fitted_at(np.c_[x, np.full(len(x), 3, np.float32)], 1.0).weights(
            np.c_[new, np.full(len(new), 3, np.float32)], "layer"
        )
    )
    np.testing.assert_allclose(wider, plain, atol=1e-4)


def test_errors_of_left_out_stimuli_are_those_of_the_hat_matrix_in_double_precision(data):
    x, y, _ = data
    fitted = dual_ridge.decompose(x)
    alphas = np.float32([0.3, 3.0, 300.0])
    found = dual_ridge.left_out_errors(fitted, dual_ridge.gram(y), alphas)
    rows, targets = (values.astype(float) - values.mean(axis=0, dtype=float) for values in (x, y))
    products = rows @ rows.T
    for alpha, error in zip(alphas.astype(float), found, strict=True):
        hat = products @ np.linalg.inv(products + alpha * np.eye(len(x))) + 1 / len(x)
        residuals = (targets - hat @ targets) / (1 - np.diag(hat))[:, None]
        np.testing.assert_allclose(error, np.square(residuals).sum(), rtol=1e-3)
    if fitted.is_tall:
        direct = dual_ridge._errors_of_many(fitted, y, alphas)
        np.testing.assert_allclose(direct, found, rtol=1e-4)
