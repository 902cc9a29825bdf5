"""Latents from contexts: classifier-free guidance, from pure noise or from a noised image."""

from collections.abc import Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks import compiler
from fmri_jax.networks.unet import UNet
from fmri_jax.priors.diffusion.ddim import denoise
from fmri_jax.priors.diffusion.schedule import Trajectory, add_noise

Contexts = Sequence[jax.Array]


def predicted_noise(
    unet: UNet,
    params: Any,
    latents: jax.Array,
    steps: jax.Array,
    contexts: Contexts,
    mixture: Sequence[Any] | None = None,
) -> jax.Array:
    """The network's call: noise (n, h, w, c) in latents (n, h, w, c) at steps (n,)."""
    return cast(jax.Array, unet.apply({"params": params}, latents, steps, contexts, mixture))


def guided_noise(
    unet: UNet,
    params: Any,
    latents: jax.Array,
    steps: jax.Array,
    contexts: Contexts,
    null_contexts: Contexts | None,
    mixture: Sequence[Any] | None = None,
    guidance: float | jax.Array = 7.5,
) -> jax.Array:
    """Noise in latents, by classifier-free guidance: e_null + guidance (e - e_null).

    Both predictions are one batch. With several contexts all of them are null together.

    Args:
        unet: the network.
        params: its parameters.
        latents: (n, h, w, c).
        steps: (n,).
        contexts: (n, tokens, width) each.
        null_contexts: (1 or n, tokens, width) each, what stands for "anything"; None predicts from
            the contexts alone.
        mixture: weights of the contexts, where there are several.
        guidance: 1 for the contexts' prediction itself.

    Returns:
        (n, h, w, c).

    References:
        Ho & Salimans (2022), "Classifier-free diffusion guidance", arXiv:2207.12598, equation 6,
        whose w is guidance - 1.
    """
    if null_contexts is None:
        return predicted_noise(unet, params, latents, steps, contexts, mixture)
    doubled = [
        jnp.concatenate([jnp.broadcast_to(null, context.shape), context])
        for null, context in zip(null_contexts, contexts, strict=True)
    ]
    twice = jnp.concatenate([latents, latents]), jnp.concatenate([steps, steps])
    both = predicted_noise(unet, params, *twice, doubled, mixture)
    without, given = jnp.split(both, 2)
    return without + guidance * (given - without)


def sample(
    unet: UNet,
    params: Any,
    noise: jax.Array,
    trajectory: Trajectory,
    contexts: Contexts,
    null_contexts: Contexts | None = None,
    mixture: Sequence[Any] | None = None,
    guidance: float | jax.Array = 7.5,
    start: jax.Array | None = None,
    eta: float | jax.Array = 0.0,
    key: jax.Array | None = None,
    step_noise: jax.Array | None = None,
) -> jax.Array:
    """Draws latents by DDIM.

    Args:
        unet: the network.
        params: its parameters.
        noise: (n, h, w, c) standard normal: the first latents, or what `start` is noised with.
        trajectory: of `Schedule.trajectory`, with a strength of 1 where there is no `start`.
        contexts: (n, tokens, width) each.
        null_contexts: as of `guided_noise`; None leaves guidance out, in half the time.
        mixture: weights of the contexts, where there are several.
        guidance: of classifier-free guidance.
        start: (n, h, w, c) latents of images to begin with, scaled as in training.
        eta: noise added anew at each step, as of `denoise`; above 0 with `key` or `step_noise`.
        key: draws the noise of the steps.
        step_noise: (steps, n, h, w, c), that noise itself.

    Returns:
        (n, h, w, c), scaled as in training.

    Raises:
        InputError: `key` and `step_noise` are both given, or neither and eta is above 0.
    """
    if key is not None and step_noise is not None:
        raise InputError("key and step_noise are both given: expected one of them.")
    if key is None and step_noise is None and (isinstance(eta, jax.Array) or eta):
        raise InputError(f"eta is {eta} without noise: expected key or step_noise too.")
    if key is not None:
        step_noise = jax.random.normal(key, (len(trajectory.steps), *noise.shape))

    def predict(latents: jax.Array, steps: jax.Array) -> jax.Array:
        return _guided_noise(
            unet, params, latents, steps, tuple(contexts), null_contexts, mixture, guidance
        )

    first = noise if start is None else add_noise(start, noise, trajectory.kept_first)
    return denoise(predict, first, trajectory, eta, step_noise)


_guided_noise = compiler.jit(guided_noise, static_argnums=0)
