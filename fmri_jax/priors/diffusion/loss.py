"""What a UNet of latent diffusion is trained with."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from fmri_jax.networks.unet import UNet
from fmri_jax.priors.diffusion.sampling import predicted_noise
from fmri_jax.priors.diffusion.schedule import Schedule, add_noise


def noise_prediction_loss(
    params: Any,
    unet: UNet,
    latents: jax.Array,
    contexts: Sequence[jax.Array],
    key: jax.Array,
    drop_probability: float = 0.1,
    null_contexts: Sequence[jax.Array] | None = None,
    mixture: Sequence[Any] | None = None,
    schedule: Schedule = Schedule(),  # noqa: B008
) -> jax.Array:
    """Mean squared error of the noise predicted at random steps of the diffusion.

    An example's contexts are all replaced by null contexts together with a probability, so that
    the network also learns to do without: what classifier-free guidance needs.

    Args:
        params: of the UNet.
        unet: the network.
        latents: (n, h, w, c), of about unit variance.
        contexts: (n, tokens, width) each.
        key: draws steps, noise, and which contexts are dropped.
        drop_probability: of the contexts of an example.
        null_contexts: (1 or n, tokens, width) each, such as parameters that are learned beside the
            UNet's; None for zeros, which are then to be sampled with.
        mixture: weights of the contexts, where there are several.
        schedule: of the noise.

    Returns:
        () float32; Ho et al. (2020), equation 14.
    """
    of_steps, of_noise, of_drops = jax.random.split(key, 3)
    n = len(latents)
    steps = jax.random.randint(of_steps, (n,), 0, schedule.n_steps)
    noise = jax.random.normal(of_noise, latents.shape)
    dropped = jax.random.bernoulli(of_drops, drop_probability, (n, 1, 1))
    if null_contexts is None:
        null_contexts = [jnp.zeros_like(context[:1]) for context in contexts]
    given = [
        jnp.where(dropped, null, context)
        for null, context in zip(null_contexts, contexts, strict=True)
    ]
    noised = add_noise(latents, noise, schedule.kept()[steps])
    found = predicted_noise(unet, params, noised, steps, given, mixture)
    return jnp.mean(jnp.square(found - noise))
