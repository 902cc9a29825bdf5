"""A generator of latents begins as ridge and probabilistic principal components have it."""

import jax
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from fmri_jax.networks.latent_generator import (
    LatentGenerator,
    LatentGeneratorConfig,
    encoded,
)
from fmri_jax.priors.ic_gan import linear_start
from fmri_jax.priors.ic_gan.config import ICGANConfig
from fmri_jax.priors.ic_gan.objective import Objective
from tests.priors.random_priors import LATENT_IC_GAN

RNG = np.random.default_rng(0)
F, N, SHAPE, NOISE = 6, 2000, (4, 4, 2), 3
TRAINING = np.arange(N) % linear_start.JUDGED != linear_start.JUDGED - 1
CONFIG = LatentGeneratorConfig(SHAPE, F, feature_units=F, noise=NOISE, width=8, blocks=1)


@pytest.fixture(scope="module")
def examples():
    """Latents of features, of a few hidden causes and of noise of their own."""
    features = RNG.standard_normal((N, 1, F)).astype(np.float32)
    causes = RNG.standard_normal((N, 1, NOISE))
    told, left_open = (RNG.standard_normal((n, 32)) for n in (F, NOISE))
    own = 0.5 * RNG.standard_normal((N, 1, 32))
    latents = 3 + features @ told + 2 * causes @ left_open + own
    return latents.reshape(N, 1, *SHAPE).astype(np.float32), features


@pytest.fixture(scope="module")
def begun(examples):
    """Parameters, and what they make of the examples without noise, as rows of 32."""
    config = ICGANConfig(CONFIG, autoencoder=LATENT_IC_GAN.autoencoder, image_size=8)
    params = jax.jit(Objective(config).initial)(jax.random.key(0))
    params = linear_start.begin(params, CONFIG, *examples)
    noise = np.zeros((N, NOISE), np.float32)
    made = jax.jit(LatentGenerator(CONFIG).apply)(
        {"params": params["generator"]}, noise, examples[1][:, 0]
    )
    return params, np.asarray(made).reshape(N, -1)


def test_without_noise_it_is_ridge_regression(examples, begun) -> None:
    latents, features = (part.reshape(N, -1) for part in examples)
    mean = latents[TRAINING].mean(axis=0)
    predicted = []
    for penalty in linear_start.PENALTIES:
        peer = Ridge(penalty * TRAINING.sum(), fit_intercept=False)
        peer.fit(features[TRAINING], latents[TRAINING] - mean)
        predicted.append(peer.predict(features) + mean)
    expected = min(predicted, key=lambda rows: ((rows - latents)[~TRAINING] ** 2).sum())
    assert np.allclose(begun[1], expected, atol=2e-3)
    assert np.abs(predicted[0] - predicted[-1]).max() > 0.1


def test_noise_makes_the_covariance_that_principal_components_give_the_rest(
    examples, begun
) -> None:
    params, told = begun
    latents, features = (part[:, 0] for part in examples)
    rest = latents.reshape(N, -1) - told
    kernel = params["generator"]["left_open"]["kernel"]
    # scikit-learn's covariance is about the mean of the rest, which ridge leaves near zero.
    peer = PCA(NOISE).fit(rest[TRAINING])
    found = kernel.T @ kernel + peer.noise_variance_ * np.eye(32)
    assert np.allclose(found, peer.get_covariance(), atol=0.05)
    mean, log_deviation = jax.jit(encoded, static_argnums=0)(CONFIG, params, latents, features)
    precision = kernel @ kernel.T / peer.noise_variance_ + np.eye(NOISE)
    posterior = np.linalg.solve(precision, kernel @ rest.T / peer.noise_variance_).T
    assert np.allclose(mean, posterior, atol=0.02)
    deviation = np.sqrt(np.diag(np.linalg.inv(precision)))
    assert np.allclose(np.exp(log_deviation), deviation, rtol=0.02)


def test_codes_of_fewer_units_explain_what_as_many_directions_can(examples) -> None:
    latents, features = examples
    training, judged = linear_start._moments(latents, features)
    weights = linear_start._ridge(training, judged)
    codes, told = linear_start._reduced(weights, training, 2)
    rows = features[TRAINING, 0]
    predicted = rows @ weights
    values = np.linalg.svd(predicted, compute_uv=False)
    lost = ((predicted - rows @ codes @ told) ** 2).sum()
    assert np.isclose(lost, (values[2:] ** 2).sum(), rtol=1e-3)
    assert np.allclose((rows @ codes).std(axis=0), 1, atol=0.05)


def test_more_units_than_there_are_directions_are_idle() -> None:
    latents = RNG.standard_normal((40, 2, 4, 4, 2)).astype(np.float32)
    features = RNG.standard_normal((40, 2, 3)).astype(np.float32)
    training, _ = linear_start._moments(latents, features)
    codes, told = linear_start._reduced(RNG.standard_normal((3, 32)), training, 40)
    assert codes.shape == (3, 40) and not codes[:, 32:].any() and not told[32:].any()
    made, found, deviation = linear_start._components(np.eye(2) * [4, 1], 3)
    assert made.shape == (3, 2) and found.shape == (2, 3) and deviation[2] == 1
    assert np.isclose(deviation[0], np.sqrt(1e-6 / 4))
