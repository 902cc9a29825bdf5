"""Autoencoders trained here: squares of pixels, standardised latents, and what they minimise."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft

import fmri_jax as fj
from fmri_jax.errors import InputError
from fmri_jax.networks.autoencoder_kl import AutoencoderKL, AutoencoderKLConfig
from fmri_jax.pretrained.latent_diffusion import autoencoder_shapes
from fmri_jax.priors import examples, files
from fmri_jax.priors.autoencoder.examples import make, standardised
from fmri_jax.priors.autoencoder.objective import Objective
from fmri_jax.priors.autoencoder.prior import AutoencoderConfig, AutoencoderPrior
from fmri_jax.priors.photographs import Photographs
from tests.peers import peer
from tests.priors.random_priors import random_arrays

torch = peer("torch")
NETWORK = AutoencoderKLConfig(
    channels=(8,), blocks=1, attention=False, latent_channels=3, groups=4, patch=2
)
CONFIG = AutoencoderConfig(NETWORK, 8)
WITH_SHORTCUT = AutoencoderConfig(dataclasses.replace(NETWORK, shortcut=True), 8)
PHOTOGRAPHS = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def prior() -> AutoencoderPrior:
    return AutoencoderPrior(CONFIG, random_arrays(autoencoder_shapes(NETWORK)))


def test_squares_of_pixels_are_the_colours_of_a_network_without_squares(prior) -> None:
    """In their cosine transform (SciPy), fine waves enlarged."""
    plain = AutoencoderKL(dataclasses.replace(NETWORK, patch=1, colours=12))
    images = PHOTOGRAPHS[:3] / np.float32(127.5) - 1
    squares = images.reshape(3, 4, 2, 4, 2, 3).transpose(0, 1, 3, 2, 4, 5)
    factors = np.array([[0.5, 1], [1, 1.5]])[:, :, None]
    waves = scipy.fft.dctn(squares, axes=(3, 4), norm="ortho") * factors
    expected, _ = plain.apply({"params": prior.params}, waves.reshape(3, 4, 4, 12), method="encode")
    latents = prior.encode(PHOTOGRAPHS[:3])
    assert latents.shape == (3, 4, 4, 3)
    assert np.allclose(latents, expected, atol=1e-5)
    made = plain.apply({"params": prior.params}, expected, method="decode")
    made = np.asarray(made).reshape(3, 4, 4, 2, 2, 3) / factors
    made = scipy.fft.idctn(made, axes=(3, 4), norm="ortho").transpose(0, 1, 3, 2, 4, 5)
    made = np.clip(0.5 + made.reshape(3, 8, 8, 3) / 2, 0, 1)
    assert np.allclose(prior.decode(latents), made, atol=1e-5)


def test_a_shortcut_starts_as_coarse_waves_beside_the_network() -> None:
    model = AutoencoderKL(WITH_SHORTCUT.autoencoder)
    images = np.linspace(-1, 1, 8 * 8 * 3, dtype=np.float32).reshape(1, 8, 8, 3)
    params = jax.device_get(jax.jit(model.init)(jax.random.key(0), images)["params"])
    mean, log_variance = model.apply({"params": params}, images, method="encode")
    assert np.all(log_variance == -4)
    luminance = images.reshape(4, 2, 4, 2, 3).sum(axis=(1, 3, 4)) / (2 * 3**0.5)
    against = (images[..., 0] - images[..., 2]).reshape(4, 2, 4, 2).sum(axis=(1, 3)) / 2**1.5
    assert np.allclose(mean[0, ..., 0], luminance / 2, atol=1e-5)  # factor of the coarsest wave
    assert np.allclose(mean[0, ..., 1], against / 2, atol=1e-5)
    made = model.apply({"params": params}, mean, method="decode")
    square = images.reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
    means = np.asarray(made).reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
    green = square @ np.array([1, -2, 1]) / 6**0.5  # what the third colour would hold
    lacking = green[..., None] * np.array([1, -2, 1]) / 6**0.5
    assert np.allclose(means, square - lacking, atol=1e-5)
    with pytest.raises(InputError, match="expected those of one level"):
        dataclasses.replace(WITH_SHORTCUT.autoencoder, channels=(8, 8))


@pytest.mark.parametrize("config", [CONFIG, WITH_SHORTCUT], ids=["plain", "shortcut"])
def test_standardised_latents_decode_to_the_same_images(config) -> None:
    network = config.autoencoder
    prior = AutoencoderPrior(config, random_arrays(autoencoder_shapes(network)))
    found = standardised(prior, PHOTOGRAPHS)
    latents = found.encode(PHOTOGRAPHS)
    assert np.allclose(latents.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    assert np.allclose(latents.std(axis=(0, 1, 2)), 1, atol=1e-4)
    before, after = (each.decode(each.encode(PHOTOGRAPHS)) for each in (prior, found))
    assert before.std() > 0.1 and np.allclose(before, after, atol=1e-4)
    spread = AutoencoderKL(network).apply({"params": found.params}, PHOTOGRAPHS[:2] / 255.0,
                                          method="encode")[1]  # fmt: skip
    old = AutoencoderKL(network).apply({"params": prior.params}, PHOTOGRAPHS[:2] / 255.0,
                                       method="encode")[1]  # fmt: skip
    std = prior.encode(PHOTOGRAPHS).std(axis=(0, 1, 2))
    assert np.allclose(spread, old - 2 * np.log(std), atol=1e-4)


def test_examples_are_photographs_and_end_standardised(prior, tmp_path) -> None:
    data = Photographs(PHOTOGRAPHS[2:], PHOTOGRAPHS[:2])
    found = make(examples.Source(data, CONFIG, tmp_path))
    assert found.training is data.training and found.held_out is data.held_out
    kept = AutoencoderPrior(CONFIG, found.finish(prior.params))
    assert np.allclose(kept.encode(data.training).std(axis=(0, 1, 2)), 1, atol=1e-4)


def test_the_loss_is_squared_error_and_divergence(prior) -> None:
    images, key = PHOTOGRAPHS[:4] / np.float32(255), jax.random.key(2)
    loss, terms = Objective(CONFIG, rate_weight=0.5)(prior.params, images, key)
    mean, log_variance = AutoencoderKL(NETWORK).apply(
        {"params": prior.params}, 2 * images - 1, method="encode"
    )
    latents = mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)
    made = AutoencoderKL(NETWORK).apply({"params": prior.params}, latents, method="decode")
    error = np.mean((0.5 + 0.5 * np.asarray(made) - images) ** 2)
    tensor = torch.distributions.kl_divergence(
        torch.distributions.Normal(
            torch.tensor(np.array(mean)), torch.tensor(np.exp(np.array(log_variance) / 2))
        ),
        torch.distributions.Normal(0.0, 1.0),
    )
    rate = float(tensor.sum()) / images.size
    assert np.allclose([terms["mse"], terms["rate"]], [error, rate], rtol=1e-4)
    assert np.isclose(float(loss), error + 0.5 * rate, rtol=1e-4)


def test_a_kept_autoencoder_is_loaded_and_draws_images(prior, tmp_path) -> None:
    files.save(tmp_path, "autoencoder", dataclasses.asdict(CONFIG), prior.params, {"steps": 1})
    found = fj.priors.load(tmp_path)
    assert found.config == CONFIG and found.card == {"steps": 1} and found.image_size == 8
    assert np.allclose(found.encode(PHOTOGRAPHS), prior.encode(PHOTOGRAPHS), atol=0.05)
    key = jax.random.key(0)
    drawn = jax.random.normal(key, (2, 4, 4, 3))
    assert np.allclose(found.sample(2, key, 0.5), found.decode(0.5 * drawn))
    with pytest.raises(InputError, match="resize them"):
        found.encode(PHOTOGRAPHS[:, :4])
