"""Tokens of a UNet's context that have places of the image: beside the latents, by PyTorch."""

import dataclasses

import jax
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.networks.unet import UNet, UNetConfig
from fmri_jax.pretrained.latent_diffusion import unet_shapes
from tests.networks.peers import from_torch, to_torch
from tests.peers import peer
from tests.priors.random_priors import random_arrays

CONFIG = UNetConfig(
    latent_channels=2,
    channels=(8,),
    attention=(False,),
    blocks=1,
    middle="none",
    heads=2,
    contexts=(5,),
    groups=4,
    places=9,
)
RNG = np.random.default_rng(0)


def test_places_are_enlarged_to_the_latents_and_taken_in_with_them() -> None:
    torch = peer("torch")
    params = random_arrays(unet_shapes(CONFIG))
    latents, tokens = RNG.normal(size=(3, 6, 6, 2)), RNG.normal(size=(3, 11, 5))
    latents, tokens = latents.astype(np.float32), tokens.astype(np.float32)
    given = ({"params": params}, latents, np.array([1, 5, 900]), (tokens,))
    found = jax.jit(
        lambda *x: UNet(CONFIG).apply(*x, capture_intermediates=lambda m, _: m.name == "conv_in")
    )(*given)[1]["intermediates"]["conv_in"]["__call__"][0]
    laid = to_torch(tokens[:, :9].reshape(3, 3, 3, 5))
    laid = torch.nn.functional.interpolate(laid, size=(6, 6), mode="bilinear")
    kernel = torch.tensor(params["conv_in"]["kernel"]).permute(3, 2, 0, 1)
    bias = torch.tensor(params["conv_in"]["bias"])
    both = torch.cat([to_torch(latents), laid], dim=1)
    expected = torch.nn.functional.conv2d(both, kernel, bias, padding=1)
    assert np.allclose(found, from_torch(expected), atol=1e-4)


def test_places_that_are_no_square_or_have_no_tokens_are_rejected() -> None:
    with pytest.raises(InputError, match="places is 8 with 1 contexts: expected a square"):
        dataclasses.replace(CONFIG, places=8)
    with pytest.raises(InputError, match="places is 4 with 0 contexts"):
        dataclasses.replace(CONFIG, places=4, contexts=())
    few = np.zeros((1, 4, 5), np.float32)
    with pytest.raises(InputError, match="has 4 tokens: expected at least 9"):
        UNet(CONFIG).init(jax.random.key(0), np.zeros((1, 4, 4, 2)), np.zeros(1), (few,))
