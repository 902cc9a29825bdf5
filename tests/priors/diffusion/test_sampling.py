"""Guidance and sampling against a loop over the UNet and scheduler of `diffusers`."""

import jax
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.networks.unet import UNet, UNetConfig
from fmri_jax.pretrained import rules, unet_rules
from fmri_jax.pretrained.latent_diffusion import unet_shapes
from fmri_jax.priors.diffusion import Schedule, sample
from tests.networks.peers import from_torch, to_torch
from tests.peers import peer
from tests.pretrained import diffusers_models

torch = peer("torch")

CONFIG = UNetConfig(
    channels=(8,), attention=(True,), blocks=1, middle="none", heads=2, contexts=(6, 6), groups=4
)
TOKENS = (3, 2)  # of an image's and a text's embedding
MIXTURE = (0.6, 0.4)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


NOISE, START = normal(0, 2, 4, 4, 4), normal(1, 2, 4, 4, 4)
CONTEXTS = [normal(2 + i, 2, tokens, 6) for i, tokens in enumerate(TOKENS)]
NULLS = [normal(4 + i, 1, tokens, 6) for i, tokens in enumerate(TOKENS)]
TRAJECTORY = Schedule().trajectory(8, 0.5)


@pytest.fixture(scope="module")
def model(diffusers):
    made = diffusers_models.unet(diffusers, CONFIG)
    diffusers_models.set_mixture(made, MIXTURE[1], TOKENS[::-1])
    return made


@pytest.fixture(scope="module")
def params(model):
    arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    found = rules.port(arrays, unet_rules.diffusers_rules(CONFIG), unet_shapes(CONFIG), "unet")
    return rules.unflatten(found)


def test_two_contexts_and_guidance_from_a_noised_image(diffusers, model, params):
    step_noise = normal(9, len(TRAJECTORY.steps), *NOISE.shape)
    found = sample(
        UNet(CONFIG), params, NOISE, TRAJECTORY, CONTEXTS, NULLS, MIXTURE, guidance=3.0,
        start=START, eta=0.5, step_noise=step_noise,
    )  # fmt: skip
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    scheduler.set_timesteps(8)
    steps = scheduler.timesteps[4:]
    given, null = (
        torch.tensor(np.concatenate([np.broadcast_to(c, (2, *c.shape[1:])) for c in each[::-1]], 1))
        for each in (CONTEXTS, NULLS)
    )
    x = scheduler.add_noise(to_torch(START), to_torch(NOISE), steps[:1])
    with torch.no_grad():
        for step, noise in zip(steps, step_noise, strict=True):
            without, with_contexts = (model(x, step, each).sample for each in (null, given))
            guided = without + 3.0 * (with_contexts - without)
            x = scheduler.step(guided, step, x, eta=0.5, variance_noise=to_torch(noise)).prev_sample
    expected = from_torch(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_without_guidance_and_with_a_key(params):
    """A key draws the noise of the steps; with eta 0 none is used."""

    def drawn(**options):
        return sample(UNet(CONFIG), params, NOISE, TRAJECTORY, CONTEXTS, mixture=MIXTURE, **options)

    key = jax.random.key(3)
    step_noise = jax.random.normal(key, (len(TRAJECTORY.steps), *NOISE.shape))
    same = drawn(eta=1.0, key=key)
    np.testing.assert_allclose(same, drawn(eta=1.0, step_noise=step_noise), atol=1e-4)
    assert np.abs(same - drawn(eta=0.0, key=key)).max() > 0.1


def test_noise_of_the_steps_must_be_given_once(params):
    arguments = UNet(CONFIG), params, NOISE, TRAJECTORY, CONTEXTS
    with pytest.raises(InputError, match="eta is 0.5 without noise: expected key or step_noise"):
        sample(*arguments, mixture=MIXTURE, eta=0.5)
    with pytest.raises(InputError, match="both given"):
        sample(*arguments, mixture=MIXTURE, key=jax.random.key(0), step_noise=NOISE[None])
