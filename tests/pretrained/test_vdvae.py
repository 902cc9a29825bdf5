"""The very deep VAE against its layers in PyTorch, from a file with the published names."""

import dataclasses

import jax
import numpy as np
import pytest
import scipy.fft

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.networks.resampling import gather_squares, spread_squares
from fmri_jax.networks.vdvae import IMAGENET64, VDVAE, VDVAEConfig
from fmri_jax.pretrained.catalogue import CATALOGUE
from fmri_jax.pretrained.rules import port, unflatten
from fmri_jax.pretrained.vdvae import vdvae_rules, vdvae_shapes
from tests.networks.conv.layer_checks import random
from tests.networks.peers import from_torch, to_torch
from tests.peers import peer
from tests.pretrained.vdvae_peer import random_vdvae

torch = peer("torch")

SMALL = VDVAEConfig(
    encoder="16x1,16d2,8x1,8d2,4x1,4d4,1x1",
    decoder="1x2,4m1,4x1,8m4,16m8,16x1",
    width=32,
    widths=((16, 8), (8, 16)),
    latent_channels=4,
    mixtures=2,
)
TOLERANCE = 1e-4  # of the largest value


@pytest.fixture(scope="module")
def both():
    """The peer, and its weights as ours."""
    model = random_vdvae(SMALL)
    arrays = {f"module.{name}": array.numpy() for name, array in model.state_dict().items()}
    ported = port(arrays, vdvae_rules(SMALL), vdvae_shapes(SMALL), "the peer")
    return model, unflatten(ported)


def close(ours, theirs):
    theirs = from_torch(theirs)
    assert np.abs(np.asarray(ours) - theirs).max() <= TOLERANCE * np.abs(theirs).max()


def test_every_posterior_and_prior_is_pytorchs(both) -> None:
    model, params = both
    images = random(1, 3, 16, 16, 3)
    noise = tuple(0.3 * random(2 + i, 3, *s) for i, s in enumerate(SMALL.latent_shapes()))
    parameters, pairs, latents = jax.jit(VDVAE(SMALL).apply)({"params": params}, images, noise)
    with torch.no_grad():
        activations = model.encoder(to_torch(images))
        expected, found = model.decoder([to_torch(z) for z in latents], activations)
    close(parameters, expected)
    for pair, peers, eps, z in zip(pairs, found, noise, latents, strict=True):
        for ours, theirs in zip(pair, peers, strict=True):
            close(ours[0], theirs[0])
            close(ours[1], theirs[1])
        mean, log_sigma = (from_torch(part) for part in peers[0])
        assert np.allclose(z, mean + np.exp(log_sigma) * eps, atol=1e-3)


def test_latents_decode_to_pytorchs_pixels_and_the_others_follow_from_the_prior(both) -> None:
    model, params = both
    shapes = SMALL.latent_shapes()
    latents = tuple(random(10 + i, 2, *shape) for i, shape in enumerate(shapes))
    decode = jax.jit(lambda *a: VDVAE(SMALL).apply({"params": params}, *a, method="decode"))
    with torch.no_grad():
        expected, priors = model.decoder([to_torch(z) for z in latents])
    close(decode(latents, (), 1.0), expected)
    # Given the first four, latents drawn at a temperature equal those drawn by hand.
    drawn, temperature = [], 0.5
    for i in range(4, len(latents)):
        z = [*latents[:4], *drawn, *latents[4 + len(drawn) :]]
        with torch.no_grad():
            _, priors = model.decoder([to_torch(array) for array in z])
        mean, log_sigma = (from_torch(part) for part in priors[i][1])
        drawn.append(mean + temperature * np.exp(log_sigma) * latents[i])
    with torch.no_grad():
        expected, _ = model.decoder([to_torch(array) for array in (*latents[:4], *drawn)])
    close(decode(latents[:4], latents[4:], temperature), expected)


def test_the_published_network_has_the_published_size() -> None:
    shapes = CATALOGUE["vdvae_imagenet64"].shapes()
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 125_005_860
    assert len(shapes) == 2482
    latents = IMAGENET64.latent_shapes()
    assert len(latents) == 75
    ends = np.cumsum([np.prod(shape) for shape in latents])
    assert [ends[i - 1] for i in (2, 6, 14, 30, 31, 62, 75)] == [
        *(32, 1_056, 9_248, 74_784, 91_168),
        *(599_072, 1_451_040),
    ]


def test_a_file_of_weights_is_read_strictly(tmp_path, both, monkeypatch) -> None:
    model, _ = both
    tensors = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save(tensors, tmp_path / "small-ema.th")
    with pytest.raises(InputError, match="shape"):  # that of another network
        pretrained.load("vdvae_imagenet64", tmp_path / "small-ema.th")
    published = CATALOGUE["vdvae_imagenet64"]
    small = dataclasses.replace(
        published,
        shapes=lambda: vdvae_shapes(SMALL),
        publications=(dataclasses.replace(published.publications[0], rules=vdvae_rules(SMALL)),),
    )
    monkeypatch.setitem(CATALOGUE, "vdvae_imagenet64", small)
    params = pretrained.load("vdvae_imagenet64", tmp_path / "small-ema.th")
    assert params["start_4"].shape == (4, 4, 32)


def test_squares_of_pixels_enter_and_leave_as_one() -> None:
    """As their cosine transform (SciPy), fine waves enlarged."""
    images = random(0, 2, 8, 6, 3)
    gathered = np.asarray(gather_squares(images, 2))
    assert gathered.shape == (2, 4, 3, 12)
    waves = scipy.fft.dctn(images[:, 2:4, 4:6], axes=(1, 2), norm="ortho")
    waves *= np.array([[0.5, 1], [1, 1.5]])[:, :, None]
    assert np.allclose(gathered[:, 1, 2].reshape(2, 2, 2, 3), waves, atol=1e-5)
    assert np.allclose(spread_squares(gathered, 2), images, atol=1e-5)


@pytest.mark.parametrize("text", ["64y2", "64x", "x2", "64d2,,32x1"])
def test_blocks_that_cannot_be_read_are_named(text) -> None:
    with pytest.raises(InputError, match="names no blocks"):
        VDVAEConfig(encoder=text, decoder="1x1", width=8).encoder_blocks  # noqa: B018
