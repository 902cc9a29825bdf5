"""Priors under instances: kept, restored, painted, encoded and inverted."""

import dataclasses

import jax
import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.evaluation.perceptual import PerceptualWeights, perceptual_values
from fmri_jax.networks.autoencoder_kl import AutoencoderKL
from fmri_jax.networks.biggan import BigGANGenerator
from fmri_jax.networks.latent_generator import LatentGenerator, NoiseEncoder
from fmri_jax.priors import registry
from fmri_jax.priors.ic_gan import inversion
from fmri_jax.priors.ic_gan.config import PUBLISHED, ICGANConfig, from_json
from fmri_jax.priors.ic_gan.inversion import Objective, invert
from fmri_jax.priors.ic_gan.variance import instance_shares, share
from tests.priors.random_priors import IC_GAN, LATENT_IC_GAN, kept_ic_gan

N = 8
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    return fj.priors.load(kept_ic_gan(tmp_path_factory.mktemp("prior") / "pixels"))


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    place = tmp_path_factory.mktemp("prior") / "latents"
    return fj.priors.load(kept_ic_gan(place, LATENT_IC_GAN))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_generator_of_pixels_is_kept_and_paints(pixels) -> None:
    assert pixels.config == IC_GAN and pixels.fingerprint
    features = unit(RNG.random((N, 576), np.float32))
    noise = pixels.draw_noise(N, jax.random.key(1))
    found = pixels.generate(features, noise)
    network = BigGANGenerator(IC_GAN.generator)
    expected = jax.jit(network.apply)(pixels.params, noise, features)
    assert np.allclose(found, 0.5 + 0.5 * expected, atol=1e-4) and found.std() > 0.02
    assert np.array_equal(pixels.sample(features, jax.random.key(1)), found)
    wide = pixels.draw_noise(1000, jax.random.key(0), 1.0)
    assert 1.9 < np.abs(wide).max() <= 2 and abs(wide.std() - 0.88) < 0.02
    for given in ((features[:, :5], noise), (features, noise[:, :3]), (features, noise[:2])):
        with pytest.raises(InputError, match="shape"):
            pixels.generate(*given)


def test_a_generator_of_latents_paints_through_its_autoencoder_and_finds_noise(latents) -> None:
    config, params = LATENT_IC_GAN, latents.params
    images = RNG.random((N, 16, 16, 3), np.float32)
    features, noise = latents.encode(images)
    network = fj.features.load("alexnet", ("pool1",), config.preprocessing)
    expected = unit(network(images)["pool1"].reshape(N, -1))
    assert np.allclose(features, expected, atol=1e-5)
    autoencoder = AutoencoderKL(config.autoencoder)

    @jax.jit
    def by_parts(images, features):
        given = {"params": params["autoencoder"]}
        posterior = autoencoder.apply(given, 2 * images - 1, method="encode")
        generator = LatentGenerator(config.generator)
        told = params["generator"]["told"]
        code = features @ told["features"]["kernel"] + told["features"]["bias"]
        linear = code @ told["latents"]["kernel"] + told["latents"]["bias"]
        rest = posterior[0] - linear.reshape(posterior[0].shape)
        mean, _ = NoiseEncoder(config.generator).apply({"params": params["encoder"]}, rest)
        made = generator.apply({"params": params["generator"]}, mean, features)
        return mean, autoencoder.apply(given, made, method="decode")

    mean, decoded = by_parts(images, features)
    assert np.allclose(noise, mean, atol=1e-4)
    expected = np.clip(0.5 + 0.5 * np.asarray(decoded), 0, 1)
    assert np.allclose(latents.decode((features, noise)), expected, atol=1e-4)
    assert from_json(dataclasses.asdict(config), "here") == config


def test_published_generators_and_configs_that_do_not_fit() -> None:
    assert set(registry.IC_GANS) == set(PUBLISHED)
    with pytest.raises(InputError, match="autoencoder"):
        ICGANConfig(LATENT_IC_GAN.generator)
    with pytest.raises(InputError, match="image_size"):
        dataclasses.replace(IC_GAN, image_size=64)
    with pytest.raises(InputError, match="cannot be read"):
        from_json({"generator": {}, "of": 1}, "here")


def test_noise_and_first_layer_of_the_generators_own_images_are_found(pixels) -> None:
    """The error falls from each beginning, and the best one is kept."""
    features = unit(RNG.random((N, 576), np.float32))
    noise = pixels.draw_noise(N, jax.random.key(3))
    images = pixels.generate(features, noise)
    objective = Objective(first=True, learning_rate=0.1)
    key = jax.random.key(0)
    found = invert(pixels, images, features, key, objective, n_steps=25)
    assert found.noise.shape == noise.shape and found.first.shape == (N, pixels.first_units)
    assert found.error.shape == (26, N)
    made = pixels.generate(features, found.noise, found.first)
    error = ((made - images) ** 2).mean(axis=(1, 2, 3))
    assert np.allclose(found.error[-1], error, atol=1e-5)
    assert error.mean() < 0.5 * found.error[0].mean()
    single = invert(pixels, images[:3], features[:3], key, objective, n_steps=25, restarts=8)
    assert single.loss.shape == (3,)  # as many rows: the same program
    for options in ({"n_steps": 0}, {"restarts": 0}):
        with pytest.raises(InputError, match="1 or more"):
            invert(pixels, images, features, key, **options)
    with pytest.raises(InputError, match="compares no images"):
        Objective(pixels=0.0)


def test_the_loss_is_the_sum_of_its_documented_terms(pixels) -> None:
    objective = Objective(2.0, lpips=0.5, features=3.0, noise=0.1, layer=0.2, first=True)
    features = unit(RNG.random((N, 576), np.float32))
    noise = pixels.draw_noise(N, jax.random.key(3))
    images = RNG.random((N, 32, 32, 3), np.float32)
    own = noise[:, : pixels.config.generator.chunk] @ pixels.params["params"]["first"]["kernel"]
    own = own + pixels.params["params"]["first"]["bias"]
    first = own + 0.3
    judge = inversion._judge(pixels, objective)
    judges = inversion._weights(objective, judge)
    static = (pixels.config, objective, judge)
    known = inversion._known(static, judges, images)
    sought = {"noise": noise, "first": first}
    loss, error = inversion._final(
        static, pixels.params, judges, known, 0.6, (images, features), sought
    )
    made = pixels.generate(features, noise, first)
    weights = PerceptualWeights(pretrained.load("alexnet"), pretrained.load("lpips_alexnet"))
    lpips = perceptual_values(images, made, weights)["lpips"]
    cosine = (pixels.embed(made) * features).sum(axis=1)
    squares = ((made - images) ** 2).mean(axis=(1, 2, 3))
    expected = 2 * squares + 0.5 * lpips + 3 * (1 - cosine)
    expected += 0.1 * (noise**2).mean(axis=1) + 0.2 * 0.25
    assert np.allclose(error, squares, atol=1e-5) and np.allclose(loss, expected, rtol=1e-3)


def test_shares_of_variance_are_those_of_an_analysis_of_variance(pixels) -> None:
    """Groups of known variance; and a generator whose noise does nothing."""
    between, within = RNG.normal(0, 3, (400, 1, 5)), RNG.normal(0, 1, (400, 6, 5))
    assert abs(share(between + within) - 0.9) < 0.02
    assert share(within) < 0.02 and share(np.zeros((2, 2, 3))) == 0
    photographs = RNG.random((2, 32, 32, 3), np.float32)
    still = dataclasses.replace(pixels, config=dataclasses.replace(IC_GAN, truncation=0.0))
    shares = instance_shares(still, photographs, jax.random.key(0))
    assert shares["instance_share"] > 0.999 and shares["instance_share_of_features"] > 0.999
    assert instance_shares(pixels, photographs, jax.random.key(0))["instance_share"] < 0.9
