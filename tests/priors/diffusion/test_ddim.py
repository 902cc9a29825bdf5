"""The schedule and DDIM against `diffusers`, with the same predictions over whole trajectories."""

import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.priors.diffusion import Schedule, add_noise, denoise
from tests.peers import peer

torch = peer("torch")

SHAPE = (2, 3, 3, 4)


@pytest.fixture(scope="module")
def scheduler(diffusers):
    """As configured for Stable Diffusion 1.x and Versatile Diffusion."""
    return diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def predict(x, steps):
    """Something that depends on latents and step, in either library."""
    library = torch if isinstance(x, torch.Tensor) else jnp
    return 0.9 * library.tanh(x) + 0.002 * (steps.reshape(-1, 1, 1, 1) - 300)


def theirs(scheduler, latents, steps, eta, step_noise):
    x = torch.tensor(latents)
    for step, noise in zip(steps, step_noise, strict=True):
        found = predict(x, torch.full((len(x),), int(step)))
        noise = torch.tensor(noise) if eta else None
        x = scheduler.step(found, step, x, eta=eta, variance_noise=noise).prev_sample
    return x.numpy()


def test_shares_that_are_kept(scheduler):
    np.testing.assert_allclose(Schedule().kept(), scheduler.alphas_cumprod, rtol=1e-4)


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize(("n_steps", "strength"), [(50, 1.0), (50, 0.75), (7, 0.5)])
def test_latents_equal_those_of_diffusers(scheduler, n_steps, strength, eta):
    scheduler.set_timesteps(n_steps)
    taken = int(n_steps * strength)
    steps = scheduler.timesteps[n_steps - taken :]  # as its image-to-image pipelines cut them
    trajectory = Schedule().trajectory(n_steps, strength)
    np.testing.assert_array_equal(trajectory.steps, steps)
    step_noise, latents = normal(1, taken, *SHAPE), normal(2, *SHAPE)
    found = denoise(predict, latents, trajectory, eta, step_noise if eta else None)
    expected = theirs(scheduler, latents, steps, eta, step_noise)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_noise_for_other_steps_than_there_are_is_an_error():
    trajectory = Schedule().trajectory(5, 1.0)
    with pytest.raises(ValueError, match="zip"):
        denoise(predict, normal(2, *SHAPE), trajectory, 1.0, normal(1, 3, *SHAPE))


def test_an_image_is_noised_as_by_diffusers(scheduler):
    """At the first of 37 steps, 721."""
    scheduler.set_timesteps(50)
    image, noise = normal(0, *SHAPE), normal(1, *SHAPE)
    trajectory = Schedule().trajectory(50, 0.75)
    assert len(trajectory.steps) == 37 and trajectory.steps[0] == 721
    expected = scheduler.add_noise(*map(torch.tensor, (image, noise)), torch.tensor([721, 721]))
    found = add_noise(image, noise, trajectory.kept_first)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_versatile_diffusions_own_code_noises_one_step_more():
    """Shares that are kept at steps 741 and 721, as computed from its code."""
    published = Schedule().trajectory(50, 0.75, one_step_noisier=True)
    usual = Schedule().trajectory(50, 0.75)
    np.testing.assert_allclose(published.kept_first, 0.060356, atol=1e-6)
    np.testing.assert_allclose(usual.kept_first, 0.070514, atol=1e-6)
    np.testing.assert_array_equal(published.steps, usual.steps)
    np.testing.assert_allclose(usual.kept_next[-1], 0.99915, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 0}, "n_steps is 0: expected 1 to 999"),
        ({"n_steps": 1000}, "n_steps is 1000: expected 1 to 999"),
        ({"n_steps": 50, "strength": 0.01}, "takes 0 of 50 steps: expected 1 to 50"),
        ({"n_steps": 50, "one_step_noisier": True}, "takes 50 of 50 steps: expected 1 to 49"),
    ],
)
def test_impossible_trajectories_are_rejected(options, message):
    with pytest.raises(InputError, match=message):
        Schedule().trajectory(**options)
