"""The priors that come with the package, on photographs that they were not trained on."""

import json

import jax
import numpy as np
import pytest

import fmri_jax as fj
from fmri_jax.priors import files
from fmri_jax.priors.registry import PACKAGED
from fmri_jax.priors.scores import psnr

LARGEST = 6 * 10**6  # bytes


@pytest.mark.parametrize("name", sorted(folder.name for folder in PACKAGED.iterdir()))
def test_a_packaged_prior_is_small_and_says_what_it_is(name) -> None:
    folder = PACKAGED / name
    assert sum(file.stat().st_size for file in folder.iterdir()) <= LARGEST
    card = json.loads((folder / files.JSON).read_text())["card"]
    assert card["licence"] and card["trained_on"] and card["held_out"]


@pytest.mark.real_data
def test_the_small_vdvae_and_a_decoder_with_it(recordings) -> None:
    """Photographs of the macaque recording were left out of its training."""
    held = np.load(recordings / "macaque_v4_pe_201025.npz")
    prior, images = fj.priors.load("small_vdvae"), held["images"][:8]
    latents = prior.encode(images)
    assert psnr(images / 255, prior.decode(latents)).mean() > 24
    for z in latents[6:]:  # the layout alone: nothing in the latents of 16 x 16
        z[:] = 0
    mean = np.broadcast_to(images.mean(axis=0) / 255, images.shape)
    of_layout = psnr(images / 255, prior.decode(latents)).mean()
    assert of_layout > psnr(images / 255, mean).mean() + 4
    decoder = fj.BrainDiffuserDecoder(stages="first").fit(held["fmri"][:8], images)
    seen = decoder.predict(held["fmri"][:8])
    assert seen.shape == (8, 64, 64, 3)
    own, other = (np.mean((seen - x / 255) ** 2) for x in (images, np.roll(images, 1, axis=0)))
    assert own < other


@pytest.mark.real_data
def test_the_small_latent_diffusion_knows_photographs_and_their_latents(recordings) -> None:
    images = np.load(recordings / "macaque_v4_pe_201025.npz")["images"][:8]
    prior = fj.priors.load("small_latent_diffusion")
    latents = prior.encode(images)
    assert psnr(images / 255, prior.decode(latents)).mean() > 23
    assert 0.5 < latents.std() < 2
    told = prior.embed(images)
    near = prior.sample(
        told, jax.random.key(0), start=images / 255, strength=0.25, n_steps=8, guidance=1.0
    )
    errors = [np.mean((near - x / 255) ** 2) for x in (images, np.roll(images, 1, axis=0))]
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.real_data
def test_the_small_ic_gan_paints_what_it_is_told_of(recordings) -> None:
    """Features decide an image whatever the noise; those of another image make another one."""
    images = np.load(recordings / "macaque_v4_pe_201025.npz")["images"][:8]
    prior = fj.priors.load("small_ic_gan")
    features, noise = prior.encode(images)
    mean = psnr(images / 255, np.broadcast_to(images.mean(axis=0) / 255, images.shape)).mean()
    assert psnr(images / 255, prior.generate(features, noise)).mean() > mean + 2
    one, two = (prior.sample(features, jax.random.key(i)) for i in (0, 1))
    own, other = (np.mean((one - x) ** 2) for x in (two, np.roll(two, 1, axis=0)))
    assert 0 < own < 0.3 * other
