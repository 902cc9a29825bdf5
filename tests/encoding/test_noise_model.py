"""The noise model: its density equals SciPy's, its draws have its covariance."""

import jax
import numpy as np

from fmri_jax.encoding import noise_model
from fmri_jax.encoding.noise_model import NoiseModel
from tests.peers import peer

RNG = np.random.default_rng(0)
TRUE = NoiseModel(
    RNG.normal(size=(2, 6)).astype(np.float32) * 2, RNG.uniform(0.5, 2, 6).astype(np.float32)
)


def test_log_likelihood_equals_the_multivariate_normal_of_scipy():
    normal = peer("scipy.stats").multivariate_normal
    measured, predicted = RNG.normal(size=(3, 6)), 3 + RNG.normal(size=(4, 6))
    found = TRUE.log_likelihood(
        jax.numpy.asarray(measured, "float32"), jax.numpy.asarray(predicted, "float32")
    )
    covariance = np.asarray(TRUE.covariance())
    expected = [[normal.logpdf(m, p, covariance) for p in predicted] for m in measured]
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_draws_have_the_covariance_and_it_is_found_again():
    drawn = np.asarray(TRUE.sample(jax.random.key(0), 20000))
    covariance = np.asarray(TRUE.covariance())
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.05 * covariance.max())
    found = noise_model.fit(drawn, rank=2)
    np.testing.assert_allclose(found.covariance(), covariance, atol=0.05 * covariance.max())
    assert found.factors.shape == (2, 6)
    halved = TRUE.averaged(4).covariance()
    np.testing.assert_allclose(halved, covariance / 4, rtol=1e-5)
    assert noise_model.fit(drawn[:3], rank=9).factors.shape == (2, 6)


def test_residuals_of_repeats_are_scaled_to_the_noise_of_a_trial():
    stimulus = np.repeat(np.arange(4000), 3)
    noise = np.asarray(TRUE.sample(jax.random.key(1), len(stimulus)))
    signal = 5 * RNG.normal(size=(4000, 6))
    residuals, freedom = noise_model.residuals_of_repeats(signal[stimulus] + noise, stimulus)
    assert freedom == 1 - 1 / 3
    found = np.asarray(noise_model.fit(residuals, 2, freedom).covariance())
    expected = np.asarray(TRUE.covariance())
    np.testing.assert_allclose(found, expected, atol=0.05 * expected.max())
    once, freedom = noise_model.residuals_of_repeats(noise[:3], [0, 1, 2])
    assert once.shape == (0, 6) and freedom == 1
