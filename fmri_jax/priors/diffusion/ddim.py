"""DDIM (Song, Meng & Ermon 2021): from noise to latents in a few steps."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from fmri_jax.priors.diffusion.schedule import Trajectory

Predict = Callable[[jax.Array, jax.Array], jax.Array]


def denoise(
    predict: Predict,
    latents: jax.Array,
    trajectory: Trajectory,
    eta: float | jax.Array = 0.0,
    step_noise: jax.Array | None = None,
) -> jax.Array:
    """Takes all steps of a trajectory, one call of the device after the other.

    As a loop within one program, convolutions are slow on CPU (see `training.dispatch`).

    Args:
        predict: (latents (n, ...), steps (n,)) -> noise in them (n, ...); compiled.
        latents: (n, ...) at the first step.
        trajectory: of `Schedule.trajectory`.
        eta: noise that is added anew at each step: 0 for none, which makes the result a function of
            the first latents; 1 for as much as in DDPM.
        step_noise: (steps, n, ...) standard normal, of which the last is not used where nothing is
            left to add; None where eta is 0.

    Returns:
        (n, ...).
    """
    drawn: Any = [None] * len(trajectory.steps) if step_noise is None else step_noise
    times = zip(trajectory.steps, trajectory.kept, trajectory.kept_next, drawn, strict=True)
    for number, kept, kept_next, noise in times:
        found = predict(latents, jnp.full(len(latents), number))
        latents = step_back(latents, found, kept, kept_next, eta, noise)
    return latents


@jax.jit
def step_back(
    latents: jax.Array,
    found: jax.Array,
    kept: jax.Array,
    kept_next: jax.Array,
    eta: float | jax.Array = 0.0,
    noise: jax.Array | None = None,
) -> jax.Array:
    """One step of DDIM.

    Args:
        latents: (n, ...) now.
        found: noise that is predicted in them.
        kept: share of the image's variance now.
        kept_next: the same after the step.
        eta: as of `denoise`.
        noise: standard normal, None for none.

    Returns:
        (n, ...) after the step; Song et al. (2021), equations 12 and 16.
    """
    clean = (latents - jnp.sqrt(1 - kept) * found) / jnp.sqrt(kept)
    if noise is None:
        return jnp.sqrt(kept_next) * clean + jnp.sqrt(1 - kept_next) * found
    variance = eta**2 * (1 - kept_next) / (1 - kept) * (1 - kept / kept_next)
    towards = jnp.sqrt(1 - kept_next - variance) * found
    return jnp.sqrt(kept_next) * clean + towards + jnp.sqrt(variance) * noise
