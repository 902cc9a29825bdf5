"""How elements are combined into pixels."""

import jax
import numpy as np
import pytest
from scipy import optimize

from fmri_jax.errors import InputError
from fmri_jax.methods.local_decoders.bases import basis, sizes_of
from fmri_jax.methods.local_decoders.combine import (
    by_channel,
    combination,
    equal_weights,
    learn,
    synthesise,
)

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def noisy():
    """Predicted elements of random 5x5 images, each scale with noise of its own size."""
    rng = np.random.default_rng(3)
    elements = basis(sizes_of(2), 5, 5)
    images = (rng.random((80, 25)) < 0.4).astype(np.float32)
    noise = np.array([0.6, 0.3, 0.4, 0.1])[elements.scale]
    predictions = images @ elements.analysis + noise * rng.standard_normal((80, len(noise)))
    return elements, predictions.astype(np.float32), images


def layers(elements, predictions):
    return np.stack(
        [
            predictions[:, elements.scale == k] @ elements.synthesis[elements.scale == k]
            for k in range(len(elements.sizes))
        ],
        axis=-1,
    )


def test_equal_weights_average_the_scales(noisy):
    elements, predictions, _ = noisy
    combined = predictions @ combination(elements, equal_weights(elements))
    np.testing.assert_allclose(combined, layers(elements, predictions).mean(axis=-1), atol=1e-5)


def test_sgd_finds_the_non_negative_least_squares_weights_of_the_scales(noisy):
    elements, predictions, images = noisy
    weights = learn("learned", elements, predictions, images, KEY)
    expected, _ = optimize.nnls(
        layers(elements, predictions).reshape(-1, 4).astype(float), images.ravel()
    )
    np.testing.assert_allclose(weights, expected, atol=0.03)


@pytest.mark.parametrize("noisiest", range(4))
def test_sgd_gets_there_although_one_scale_is_a_hundred_times_noisier(noisy, noisiest):
    elements, _, images = noisy
    noise = np.random.default_rng(1).standard_normal((80, elements.n_elements))
    noise *= 0.3 * np.where(elements.scale == noisiest, 100, 1)
    predictions = (images @ elements.analysis + noise).astype(np.float32)
    design = layers(elements, predictions).reshape(-1, 4).astype(float)
    best, _ = optimize.nnls(design, images.ravel())

    def error(weights):
        return np.mean((design @ weights - images.ravel()) ** 2)

    weights = learn("learned", elements, predictions, images, KEY)
    assert error(weights) < 1.005 * error(best)


def test_a_scale_that_predicts_nothing_keeps_its_weight(noisy):
    elements, predictions, images = noisy
    silent = predictions * (elements.scale != 1)
    weights = learn("learned", elements, silent, images, KEY)
    assert weights[1] == 0.25 and np.isfinite(weights).all()


def test_sgd_does_not_depend_on_the_unit_of_contrast(noisy):
    elements, predictions, images = noisy
    weights = learn("learned", elements, predictions, images, KEY)
    in_percent = learn("learned", elements, 100 * predictions, 100 * images, KEY)
    np.testing.assert_allclose(in_percent, weights, atol=1e-4)


def test_element_weights_equal_scipy_on_the_full_design(noisy):
    elements, predictions, images = noisy
    weights = learn("element", elements, predictions, images, KEY)
    design = np.einsum("ne,ep->npe", predictions, elements.synthesis).reshape(-1, len(weights))
    expected, residual = optimize.nnls(design.astype(float), images.ravel().astype(float))
    np.testing.assert_allclose(weights, expected, atol=1e-4)
    assert np.linalg.norm(design @ weights - images.ravel()) <= residual * (1 + 1e-6)


def test_elements_that_predict_nothing_get_no_weight(noisy):
    elements, predictions, images = noisy
    silent = predictions * (np.arange(elements.n_elements) % 3 > 0)
    for kind in ("element", "pixel"):
        weights = learn(kind, elements, silent, images, KEY)
        assert not weights[::3].any() and weights.any() and np.isfinite(weights).all()


def test_pixel_weights_are_the_non_negative_minimum_of_each_pixel(noisy):
    """No weight can be changed for the better: the conditions of Karush, Kuhn and Tucker."""
    elements, predictions, images = noisy
    weights = learn("pixel", elements, predictions, images, KEY)
    assert weights.shape == elements.masks.shape
    assert not weights[elements.masks == 0].any()
    for pixel in (0, 7, 12, 24):
        covers = elements.masks[:, pixel] > 0
        design = predictions[:, covers] * elements.synthesis[covers, pixel]
        found = weights[covers, pixel]
        gradient = design.T @ (design @ found - images[:, pixel])
        assert (found >= 0).all() and (gradient >= -1e-4).all()
        np.testing.assert_allclose(gradient[found > 0], 0, atol=1e-4)


def test_channels_are_combined_alike():
    rng = np.random.default_rng(0)
    elements = basis(sizes_of(2), 4, 3)
    images = rng.random((6, 4, 3, 2)).astype(np.float32)
    predictions = rng.random((6, elements.n_elements * 2)).astype(np.float32)
    rows, pixels = by_channel(predictions, images)
    matrix = combination(elements, equal_weights(elements))
    combined = np.asarray(synthesise(predictions, matrix, (4, 3, 2)))
    for trial in range(6):
        for channel in range(2):
            row = trial * 2 + channel
            np.testing.assert_array_equal(pixels[row], images[trial, ..., channel].ravel())
            np.testing.assert_allclose(
                combined[trial, ..., channel].ravel(), rows[row] @ matrix, atol=1e-5
            )


def test_shapes_that_do_not_fit_are_refused(noisy):
    elements, predictions, images = noisy
    with pytest.raises(InputError, match="do not fit the basis"):
        learn("learned", elements, predictions[:, 1:], images, KEY)
    with pytest.raises(InputError, match="one a scale"):
        combination(elements, np.ones(3))


@pytest.mark.parametrize("kind", ["learned", "element", "pixel"])
@pytest.mark.parametrize("unit", [2.0**-80, 2.0**66])
def test_weights_do_not_depend_on_the_unit_of_contrast(noisy, kind, unit):
    elements, *rows = noisy
    scaled = (values * np.float32(unit) for values in rows)
    np.testing.assert_array_equal(
        learn(kind, elements, *scaled, KEY), learn(kind, elements, *rows, KEY)
    )
