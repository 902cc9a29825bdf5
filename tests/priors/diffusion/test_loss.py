"""The loss of noise prediction, with a network whose answer is known."""

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.priors.diffusion import Schedule, noise_prediction_loss

N = 4000


class Answers:
    """In the place of a UNet: predicts the noise as far as its inputs determine it.

    Latents are 0, so that they are all noise but for its scale. Half of what the context says is
    added, so that the loss tells which contexts it was shown.
    """

    def apply(self, variables, latents, steps, contexts, mixture):
        kept = Schedule().kept()[steps].reshape(-1, 1, 1, 1)
        (context,) = contexts
        assert latents.shape == (N, 1, 1, 1) and steps.shape == (N,)
        return latents / jnp.sqrt(1 - kept) + 0.5 * context[:, :1, None, :1] + variables["params"]


def loss(params=0.0, drop_probability=0.0, null=None, seed=0):
    return noise_prediction_loss(
        jnp.float32(params),
        Answers(),
        jnp.zeros((N, 1, 1, 1)),
        [jnp.ones((N, 2, 3))],
        jax.random.key(seed),
        drop_probability,
        null and [jnp.full((1, 2, 3), null)],
    )


def test_error_is_that_of_the_prediction():
    np.testing.assert_allclose(loss(), 0.25, rtol=1e-3)
    np.testing.assert_allclose(loss(params=-0.5), 0, atol=1e-6)
    gradient = jax.grad(loss)(0.5)
    np.testing.assert_allclose(gradient, 2.0, rtol=1e-3)


def test_contexts_are_dropped_with_the_probability():
    """A dropped one is zeros, or the null context that is given: 3 instead of 1."""
    np.testing.assert_allclose(loss(drop_probability=1.0), 0, atol=1e-6)
    kept = 0.8
    np.testing.assert_allclose(loss(drop_probability=1 - kept), 0.25 * kept, atol=0.01)
    expected = 0.25 * kept + 1.5**2 * (1 - kept)
    np.testing.assert_allclose(loss(drop_probability=1 - kept, null=3.0), expected, atol=0.05)


def test_every_step_of_the_diffusion_is_drawn():
    seen = []

    class Records(Answers):
        def apply(self, variables, latents, steps, contexts, mixture):
            seen.append(np.asarray(steps))
            return super().apply(variables, latents, steps, contexts, mixture)

    noise_prediction_loss(
        0.0, Records(), jnp.zeros((N, 1, 1, 1)), [jnp.ones((N, 2, 3))], jax.random.key(0)
    )
    counts = np.bincount(seen[0], minlength=1000)
    assert len(counts) == 1000 and (counts > 0).mean() > 0.95
    assert np.abs(seen[0].mean() - 499.5) < 20
