"""Generators under instances are trained: neighbours, augmentation, losses, files."""

import dataclasses
import functools
import itertools

import jax
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import fmri_jax as fj
from fmri_jax.evaluation.perceptual import lpips_distance, prepare
from fmri_jax.features.registry import NETWORKS
from fmri_jax.networks.autoencoder_kl import AutoencoderKL
from fmri_jax.networks.latent_generator import LatentGenerator, encoded
from fmri_jax.pretrained.latent_diffusion import autoencoder_shapes
from fmri_jax.pretrained.rules import flatten
from fmri_jax.priors import files, recipes, training
from fmri_jax.priors.autoencoder.prior import AutoencoderConfig
from fmri_jax.priors.examples import Source
from fmri_jax.priors.ic_gan import examples
from fmri_jax.priors.ic_gan.augmentation import augmented
from fmri_jax.priors.ic_gan.neighbours import nearest
from fmri_jax.priors.ic_gan.objective import Objective, moved
from fmri_jax.priors.ic_gan.prior import restore
from fmri_jax.priors.photographs import Photographs
from fmri_jax.priors.training import Options
from fmri_jax.training.mesh import make_mesh
from tests.peers import peer
from tests.priors.random_priors import IC_GAN, LATENT_IC_GAN, random_arrays

RNG = np.random.default_rng(0)
OPTIONS = Options(n_steps=2, batch_size=4, moments=(0.0, 0.999))


def test_neighbours_are_scikit_learns_with_the_instance_first(monkeypatch) -> None:
    monkeypatch.setattr("fmri_jax.priors.ic_gan.neighbours.BLOCK", 16)
    rows = RNG.standard_normal((50, 6)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = NearestNeighbors(n_neighbors=5, metric="cosine").fit(rows).kneighbors(rows)[1]
    assert np.array_equal(nearest(rows, 5), expected)
    assert np.array_equal(nearest(rows[[0, 0, 1]], 9)[:, 0], [0, 1, 2])  # copies


def test_augmentation_shifts_cuts_and_recolours_each_image_in_its_own_way() -> None:
    images = RNG.uniform(-1, 1, (6, 16, 16, 3)).astype(np.float32)
    key = jax.random.key(1)
    shifts = set()
    for before, after in zip(images, augmented(images, key, ("translation",)), strict=True):
        padded = np.pad(before, ((2, 2), (2, 2), (0, 0)))
        matches = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.allclose(padded[y : y + 16, x : x + 16], after, atol=1e-6)
        ]
        assert len(matches) == 1
        shifts |= set(matches)
    assert len(shifts) > 1
    for before, after in zip(images, augmented(images, key, ("cutout",)), strict=True):
        hole = (np.asarray(after) == 0).all(axis=-1)
        assert 16 <= hole.sum() <= 64
        assert np.array_equal(before[~hole], np.asarray(after)[~hole])
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert hole[np.ix_(rows, columns)].all() and np.ptp(rows) < 8 and np.ptp(columns) < 8
    # Without its own level and grey, an image stays itself but for a factor of each.
    recoloured = np.asarray(augmented(images, key, ("color",)))

    def grey(stack):
        return stack.mean(axis=-1) - stack.mean(axis=(1, 2, 3))[:, None, None]

    contrast = (grey(recoloured) / grey(images)).reshape(6, -1)
    assert np.ptp(contrast, axis=1).max() < 0.05 and 0.5 <= contrast.min() < contrast.max() <= 1.55
    assert np.array_equal(augmented(images, key, ()), images)


@pytest.fixture(scope="module")
def latent_source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("latents")
    params = random_arrays(autoencoder_shapes(LATENT_IC_GAN.autoencoder))
    config = dataclasses.asdict(AutoencoderConfig(LATENT_IC_GAN.autoencoder, 16))
    files.save(folder / "autoencoder", "autoencoder", config, params, {})
    data = Photographs(*(RNG.integers(0, 256, (n, 16, 16, 3), np.uint8) for n in (12, 4)))
    return Source(data, LATENT_IC_GAN, folder, str(folder / "autoencoder"), progress=False)


def test_a_generator_of_latents_is_trained_and_takes_features_as_they_are(
    latent_source, tmp_path
) -> None:
    found = examples.make(latent_source)
    assert found.training["latents"].shape == (12, 2, 8, 8, 2)
    scaled = found.training["features"].astype(np.float32)
    assert scaled.shape == (12, 2, 576) and np.abs(scaled.mean(axis=(0, 1))).max() < 0.01
    assert (scaled[:, 0] != scaled[:, 1]).any()  # of the mirror images, not those of the images
    options = dataclasses.replace(OPTIONS, n_steps=20, learning_rate=3e-3)
    objective = Objective(LATENT_IC_GAN, 0.3)
    trained = training.train(
        objective,
        found.training,
        options,
        make_mesh(1),
        tmp_path,
        False,
        found.prepare,
        found.start,
    )
    config, held_out = LATENT_IC_GAN.generator, found.held_out
    noise = np.zeros((4, config.noise), np.float32)

    @jax.jit
    def evaluated(params):
        generator = LatentGenerator(config)
        features, key = held_out["features"], jax.random.key(0)
        posterior = encoded(config, params, held_out["latents"], features)
        made = generator.apply({"params": params["generator"]}, noise, features)
        return objective(params, held_out, key), posterior, made

    (loss, terms), (mean, log_deviation), made = evaluated(trained)
    assert np.isclose(loss, terms["mse"] + 0.3 * terms["rate"], rtol=1e-5)
    at_random = training._start(objective, options).params
    (first, _), *_ = evaluated(at_random)
    assert loss < first and evaluated(found.start(at_random))[0][0] < first
    torch = peer("torch")
    normal = torch.distributions.Normal
    posterior = normal(torch.tensor(np.array(mean)), torch.tensor(np.exp(log_deviation)))
    nats = torch.distributions.kl_divergence(posterior, normal(0.0, 1.0)).sum()
    assert np.isclose(terms["rate"], nats / held_out["latents"].size, rtol=1e-4)
    assert "rate" in (tmp_path / "metrics.jsonl").read_text()
    prior = restore({"config": dataclasses.asdict(LATENT_IC_GAN)}, found.finish(trained), tmp_path)
    autoencoder = fj.priors.load(latent_source.autoencoder)
    raw = prior.embed(latent_source.data.held_out)
    assert np.allclose(prior.generate(raw, noise), autoencoder.decode(made), atol=5e-3)


def around(images, top, left):
    """Images with mirrored rows and columns: so many before, and three in all."""
    sides = ((0, 0), (top, 3 - top), (left, 3 - left), (0, 0))
    return np.pad(images, sides, mode="reflect")


def test_images_are_moved_over_all_positions_of_the_first_convolution() -> None:
    images = RNG.random((2, 8, 8, 3))
    places = list(itertools.product(range(4), repeat=2))
    expected = np.stack([around(images, *place) for place in places])
    shown = [np.asarray(moved(jax.numpy.asarray(images), jax.random.key(i))) for i in range(150)]
    seen = {int(np.abs(expected - each).max((1, 2, 3, 4)).argmin()) for each in shown}
    assert seen == set(range(16))
    assert all(np.abs(expected - each).max((1, 2, 3, 4)).min() < 1e-6 for each in shown)


def test_lpips_of_decoded_images_counts_where_it_is_asked_for(latent_source, tmp_path) -> None:
    assert examples.make(latent_source).fixed is None
    asked = dataclasses.replace(latent_source, objective={"lpips_weight": 0.7})
    found = examples.make(asked)
    objective, plain = Objective(LATENT_IC_GAN, 0.3, 0.7), Objective(LATENT_IC_GAN, 0.3)
    key, params = jax.random.key(2), training._start(plain, OPTIONS).params
    batch = {**found.held_out, "fixed": found.fixed}
    loss, terms = jax.jit(objective)(params, batch, key)
    without, _ = jax.jit(plain)(params, found.held_out, key)
    assert np.isclose(loss, without + 0.7 * terms["lpips"], rtol=1e-5)
    autoencoder, config = fj.priors.load(latent_source.autoencoder), LATENT_IC_GAN.generator
    mean, log_deviation = encoded(config, params, *found.held_out.values())
    of_noise, of_position = jax.random.split(key)
    noise = mean + np.exp(log_deviation) * jax.random.normal(of_noise, mean.shape)
    features = found.held_out["features"]
    made = LatentGenerator(config).apply({"params": params["generator"]}, noise, features)
    network, given = AutoencoderKL(LATENT_IC_GAN.autoencoder), {"params": autoencoder.params}
    both = np.concatenate([found.held_out["latents"], made])
    images = np.split(0.5 + 0.5 * network.apply(given, both, method="decode"), 2)
    alexnet = jax.jit(functools.partial(NETWORKS["alexnet"].activations, found.fixed["alexnet"]))
    top, left = jax.random.randint(of_position, (2,), 0, 4)
    shown = [alexnet(prepare(around(x, 3 - top, 3 - left))) for x in images]
    expected = lpips_distance(*shown, found.fixed["lpips_heads"])
    assert np.isclose(terms["lpips"], expected.mean(), rtol=1e-3)
    training.train(
        objective, found.training, OPTIONS, make_mesh(2), tmp_path, False, found.prepare,
        found.start, found.fixed,
    )  # fmt: skip
    assert "lpips" in (tmp_path / "metrics.jsonl").read_text()


def test_a_generator_of_pixels_is_trained_against_a_discriminator(tmp_path) -> None:
    data = Photographs(*(RNG.integers(0, 256, (n, 32, 32, 3), np.uint8) for n in (24, 4)))
    found = examples.make(Source(data, IC_GAN, tmp_path, progress=False))
    assert found.training["neighbours"].shape == (24, 24)
    recipe = recipes.Recipe(
        "", "ic_gan", lambda: IC_GAN, OPTIONS, {"policies": ()}, "ic_gan_pixels"
    )
    objective = recipe.objective(IC_GAN)
    trained = recipe.training.train(
        objective, found.training, OPTIONS, make_mesh(1), tmp_path, False, found.prepare
    )
    # Spectral normalisation is folded in: no kernel is far from a largest value of 1.
    kernels = {n: x for n, x in flatten(trained["params"]).items() if n.endswith("kernel")}
    largest = [np.linalg.norm(np.reshape(x, (-1, x.shape[-1])), 2) for x in kernels.values()]
    assert 0.99 < min(largest) and max(largest) < 1.5
    first = objective.initial(jax.random.key(0))
    moved = trained["params"]["pixels"]["bias"] - first["generator"]["pixels"]["bias"]
    assert np.abs(moved).max() > 0
    curves = (tmp_path / "metrics.jsonl").read_text()
    assert "discriminator_gradient" in curves and "real_found" in curves
    prior = restore({"config": dataclasses.asdict(IC_GAN)}, found.finish(trained), tmp_path)
    rows, noise = found.held_out, np.zeros((4, prior.noise_size), np.float32)
    made = prior.generate(prior.embed(data.held_out), noise)
    error = objective(trained, rows, jax.random.key(0))[0]
    assert np.isclose(np.mean((made - rows["images"]) ** 2), error, rtol=1e-3)
