"""The inverted encoding model against plain formulas and on voxels whose fields are known."""

import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.methods.local_decoders.receptive_fields import (
    DAMPING,
    Settings,
    fit_receptive_fields,
    fit_several,
    geometry,
)

SIDE = 6
USUAL = Settings(300.0, 0.5, 0.95, 0.2)


@pytest.fixture(scope="module")
def simulated():
    """120 trials of 30 random images, 80 voxels with Gaussian receptive fields and noise."""
    rng = np.random.default_rng(0)
    images = (rng.random((30, SIDE * SIDE)) < 0.4).astype(np.float32)[np.arange(120) % 30]
    fields = np.asarray(geometry(SIDE, SIDE, 1, 2).fields)
    narrow = fields[: 2 * SIDE * SIDE]  # standard deviations of 0.5 and 0.8 pixels
    weights = narrow[rng.integers(0, len(narrow), 80)].T * rng.choice([-1, 1], 80)
    voxels = images @ weights + 0.3 * rng.standard_normal((120, 80))
    return (5 + 3 * voxels).astype(np.float32), images


def plain(fmri, images, settings, prior_scale):
    """The same model, written down voxel by voxel with explicit covariances, in float64."""
    fields, precision = (np.asarray(a, float) for a in geometry(SIDE, SIDE, 1, prior_scale))
    mean, std = fmri.mean(axis=0, dtype=float), fmri.std(axis=0, dtype=float)
    x, average = (fmri - mean) / std, images.mean(axis=0, dtype=float)
    c, n = images - average, len(fmri)
    drive = c @ fields.T
    energy = (drive**2).sum(axis=0)
    weights = np.empty((images.shape[1], x.shape[1]))
    for v in range(x.shape[1]):
        slope = drive.T @ x[:, v] / (energy + DAMPING * energy.max())
        error = ((x[:, v, None] - drive * slope) ** 2).sum(axis=0)
        likelihood = settings.sharpness * -n / 2 * np.log(error)
        share = np.exp(likelihood - likelihood.max())
        local = fields.T @ (share / share.sum() * slope)
        left = x[:, v] - c @ local
        ridge = np.linalg.solve(c.T @ c + settings.alpha * np.eye(c.shape[1]), c.T @ left)
        weights[:, v] = local + ridge
    residual = x - c @ weights
    noise = (1 - settings.noise_diagonal) * residual.T @ residual / n
    noise += settings.noise_diagonal * np.diag((residual**2).mean(axis=0))
    inverse = np.linalg.inv(noise)
    posterior = np.linalg.inv(weights @ inverse @ weights.T + precision / settings.prior_variance)
    coef = (inverse @ weights.T @ posterior) / std[:, None]
    return coef, average - mean @ coef


@pytest.mark.parametrize("prior_scale", [1, 3])
def test_equals_the_explicit_formulas(simulated, prior_scale):
    settings = Settings(50.0, 0.4, 0.8, 0.3)
    fmri, images = simulated
    coef, intercept = fit_receptive_fields(
        fmri, images, geometry(SIDE, SIDE, 1, prior_scale), settings
    )
    expected, offset = plain(fmri, images, settings, prior_scale)
    np.testing.assert_allclose(coef, expected, atol=2e-3 * np.abs(expected).max())
    np.testing.assert_allclose(intercept, offset, atol=5e-3)


def test_unused_trials_do_not_matter(simulated):
    fmri, images = simulated
    fields = geometry(SIDE, SIDE, 1, 2)
    used = np.arange(120) % 5 > 0
    spoiled = np.where(used[:, None], fmri, 1e3).astype(np.float32)
    one = fit_receptive_fields(spoiled, images, fields, USUAL, used)
    other = fit_receptive_fields(fmri[used], images[used], fields, USUAL)
    np.testing.assert_allclose(one.coef, other.coef, atol=1e-5)
    np.testing.assert_allclose(one.intercept, other.intercept, atol=1e-4)


def test_several_settings_equal_one_after_another(simulated):
    fmri, images = simulated
    fields = geometry(SIDE, SIDE, 1, 2)
    settings = [
        Settings(a, s, d, 0.1) for a in (10.0, 300.0) for s in (0.5, 1.0) for d in (0.9, 1.0)
    ]
    for one, model in zip(settings, fit_several(fmri, images, fields, settings), strict=True):
        alone = fit_receptive_fields(fmri, images, fields, one)
        np.testing.assert_allclose(model.coef, alone.coef, atol=1e-6)
        np.testing.assert_allclose(model.intercept, alone.intercept, atol=1e-6)


def test_decodes_new_images_from_voxels_with_known_fields(simulated):
    fmri, images = simulated
    new = np.arange(120) % 30 >= 25
    model = fit_receptive_fields(fmri[~new], images[~new], geometry(SIDE, SIDE, 1, 1), USUAL)
    decoded = np.asarray(model.predict(fmri[new]))
    assert np.mean((decoded > 0.5) == (images[new] > 0.5)) > 0.9
    wrong = np.asarray(model.predict(fmri[new][:, ::-1]))
    assert np.mean((wrong > 0.5) == (images[new] > 0.5)) < 0.7


def test_constant_voxels_and_pixels_stay_finite(simulated):
    fmri, images = (a.copy() for a in simulated)
    fmri[:, 3], images[:, 0] = 7.1, 0
    model = fit_receptive_fields(fmri, images, geometry(SIDE, SIDE, 1, 2), USUAL)
    assert np.isfinite(model.coef).all() and not np.asarray(model.coef[3]).any()


def test_large_images_are_refused():
    with pytest.raises(InputError, match="prepare smaller images"):
        geometry(64, 64, 3, 2)


@pytest.mark.parametrize("level", [0.0, 0.1, 1.0])
def test_one_image_in_all_trials_is_what_is_predicted(simulated, level):
    fmri, images = simulated
    constant = np.full_like(images, level)
    coef, intercept = fit_receptive_fields(fmri, constant, geometry(SIDE, SIDE, 1, 3), USUAL)
    np.testing.assert_array_equal(coef, 0)
    np.testing.assert_allclose(intercept, level, rtol=1e-6)


def test_the_elements_of_the_prior_are_cut_to_the_image():
    flat, narrow = geometry(1, 9, 1, 3), geometry(2, 9, 1, 3)
    assert flat.precision.shape == (9, 9) and narrow.precision.shape == (18, 18)
    np.testing.assert_array_equal(geometry(2, 2, 1, 7).precision, geometry(2, 2, 1, 2).precision)
