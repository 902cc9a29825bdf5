"""A very deep VAE with random weights: encoding, decoding, sampling, and its files."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax.errors import InputError
from fmri_jax.networks.vdvae import VDVAE, VDVAEConfig
from fmri_jax.priors import files
from fmri_jax.priors.vdvae import mixture
from fmri_jax.priors.vdvae.objective import Objective, divergence, normalised
from fmri_jax.priors.vdvae.prior import VDVAEPrior
from tests.networks.conv.layer_checks import random

CONFIG = VDVAEConfig(
    encoder="4x1,4d4,1x1",
    decoder="1x1,4m1,4x1",
    width=16,
    widths=((4, 8),),
    latent_channels=2,
    mixtures=2,
    patch=2,
    pyramid=True,
)


@pytest.fixture(scope="module")
def prior() -> VDVAEPrior:
    shapes = jax.eval_shape(Objective(CONFIG).initial, jax.random.key(0))
    leaves, tree = jax.tree.flatten(shapes)
    arrays = [
        0.5 * random(i, *leaf.shape) / max(1, np.prod(leaf.shape[:-1])) ** 0.5
        for i, leaf in enumerate(leaves)
    ]
    return VDVAEPrior(CONFIG, jax.tree.unflatten(tree, arrays), {"licence": "none"})


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).random((5, 8, 8, 3), np.float32)


def test_encoding_follows_the_means_and_decoding_repeats_the_forward_pass(prior, images) -> None:
    latents = prior.encode(images)
    assert [z.shape for z in latents] == [(5, 1, 1, 2), (5, 4, 4, 2), (5, 4, 4, 2)]
    zeros = tuple(np.zeros_like(z) for z in latents)
    forward = jax.jit(VDVAE(CONFIG).apply)
    parameters, pairs, _ = forward({"params": prior.params}, normalised(images), zeros)
    for (mean, _), z in zip((pair[0] for pair in pairs), latents, strict=True):
        assert np.allclose(z, mean, atol=1e-5)
    expected = np.clip(0.5 + 0.5 * mixture.expected(parameters), 0, 1)
    assert np.allclose(prior.decode(latents), expected, atol=1e-5)
    assert np.array_equal(prior.decode(latents), prior.decode(prior.encode(images)))
    as_bytes = np.uint8(np.round(images * 255))
    assert np.allclose(prior.encode(as_bytes)[0], latents[0], atol=0.05)


def test_a_pyramid_starts_with_what_coarser_levels_leave(images) -> None:
    """With 12 latents for the 12 values of a square, images come back whole before training."""
    config = dataclasses.replace(CONFIG, latent_channels=12)
    params = jax.device_get(jax.jit(Objective(config).initial)(jax.random.key(0)))
    params["dec_blocks_0"] = jax.tree.map(np.zeros_like, params["dec_blocks_0"])
    params["dec_blocks_1"] = jax.tree.map(np.zeros_like, params["dec_blocks_1"])
    latents = VDVAEPrior(config, params).encode(images)
    small = normalised(images).reshape(5, 2, 4, 2, 4, 3).mean(axis=(2, 4))  # of the first level
    luminance = small.sum(axis=(1, 2, 3)) / (2 * 3**0.5) / 2  # a wave, halved
    assert np.allclose(latents[0][:, 0, 0, 0], luminance, atol=1e-5)
    flat = np.full((5, 8, 8, 3), 0.8, np.float32)  # leaves the second level nothing
    assert np.allclose(VDVAEPrior(config, params).encode(flat)[1], 0, atol=1e-5)
    model = VDVAE(config)
    made = jax.jit(lambda z: model.apply({"params": params}, z, (), method="decode"))(latents)
    expected = 2 * images - 1 - (2 * 115.92961967 / 255 - 1)  # the mean is the bias's to learn
    assert np.allclose(mixture.expected(made), expected, atol=0.01)
    assert np.allclose(mixture.unpack(made).log_scales, 0)


def test_draws_depend_on_their_key_alone(prior, images) -> None:
    key, other = jax.random.split(jax.random.key(1))
    drawn = prior.encode(images, key)
    assert np.array_equal(drawn[1], prior.encode(images, key)[1])
    assert not np.allclose(drawn[1], prior.encode(images, other)[1])
    first = drawn[:1]  # the other blocks are drawn from the prior
    assert np.array_equal(prior.decode(first, key), prior.decode(first, key))
    assert not np.allclose(prior.decode(first, key), prior.decode(first, other))
    cold = prior.decode(first, key, temperature=0.0)
    assert np.allclose(cold, prior.decode(first), atol=1e-6)
    assert np.allclose(cold, prior.decode(first, other, temperature=0.0), atol=1e-6)
    pixels = prior.decode(drawn, key, pixels="sample")
    assert np.array_equal(pixels, prior.decode(drawn, key, pixels="sample"))
    assert not np.allclose(pixels, prior.decode(drawn), atol=0.01)
    samples = prior.sample(20, key)
    assert samples.shape == (20, 8, 8, 3) and np.ptp(samples, axis=0).max() > 0.01


def test_what_does_not_fit_is_said(prior, images) -> None:
    with pytest.raises(InputError, match="resize"):
        prior.encode(images[:, :4])
    with pytest.raises(InputError, match="shapes"):
        prior.decode(prior.encode(images)[1:])
    with pytest.raises(InputError, match="key"):
        prior.decode(prior.encode(images), pixels="sample")


def test_divergence_is_that_of_gaussians() -> None:
    """Against the integral, numerically."""
    posterior, other = (np.float32(0.3), np.float32(-0.4)), (np.float32(-0.5), np.float32(0.2))
    x = np.linspace(-12, 12, 200_001)

    def log_density(mean, log_sigma):
        return -0.5 * ((x - mean) / np.exp(log_sigma)) ** 2 - log_sigma - 0.5 * np.log(2 * np.pi)

    p, q = log_density(*posterior), log_density(*other)
    expected = np.trapezoid(np.exp(p) * (p - q), x)
    assert float(divergence(posterior, other)) == pytest.approx(expected, rel=1e-5)


def test_a_prior_is_kept_and_loaded(tmp_path, prior, images) -> None:
    folder = tmp_path / "kept"
    files.save(folder, "vdvae", dataclasses.asdict(CONFIG), prior.params, prior.card)
    loaded = fj.priors.load(folder)
    assert loaded.config == CONFIG and loaded.card == {"licence": "none"}
    ours, theirs = prior.decode(prior.encode(images)), loaded.decode(loaded.encode(images))
    assert np.abs(ours - theirs).max() < 0.02  # float16
    about = json.loads((folder / files.JSON).read_text())
    (folder / files.JSON).write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(InputError, match="newer"):
        fj.priors.load(folder)
    (folder / files.JSON).write_text(json.dumps({**about, "kind": "oracle"}))
    with pytest.raises(InputError, match="oracle"):
        fj.priors.load(folder)
    narrow = {**about, "config": {**about["config"], "width": 8}}
    (folder / files.JSON).write_text(json.dumps(narrow))
    with pytest.raises(InputError, match="has shape"):
        fj.priors.load(folder)
    (folder / files.JSON).write_text(json.dumps(about))
    damaged = bytearray((folder / files.ARRAYS).read_bytes())
    damaged[-3] ^= 1
    (folder / files.ARRAYS).write_bytes(damaged)
    with pytest.raises(InputError, match="not what was written"):
        fj.priors.load(folder)
    with pytest.raises(InputError, match="did you mean|not a known"):
        fj.priors.load("vdvae_imagenet46")
    with pytest.raises(InputError, match="holds no prior"):
        fj.priors.load(tmp_path)
