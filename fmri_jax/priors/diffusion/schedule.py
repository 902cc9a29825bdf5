"""How much of an image is left at each step of the diffusion, and which steps a sampler visits."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.errors import InputError


class Trajectory(NamedTuple):
    """The steps of a sampler in the order in which it takes them.

    Attributes:
        steps: (k,) int32, what the UNet is told.
        kept: (k,) share of the image's variance at each, alpha-bar in the papers.
        kept_next: (k,) the same after each step.
        kept_first: () of the latents that the sampler starts from, when these are an image's.
    """

    steps: jax.Array
    kept: jax.Array
    kept_next: jax.Array
    kept_first: jax.Array


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Variances of the noise whose square roots grow linearly, as in Stable Diffusion 1.x.

    Attributes:
        first: variance that the first step adds.
        last: variance that the last step adds.
        n_steps: of the diffusion.
        offset: added to the sampler's steps, which without it were multiples from 0.

    References:
        Ho, Jain & Abbeel (2020), "Denoising diffusion probabilistic models", NeurIPS, section 2.
        Rombach et al. (2022), CVPR, whose code has these variances.
    """

    first: float = 0.00085
    last: float = 0.012
    n_steps: int = 1000
    offset: int = 1

    def kept(self) -> jax.Array:
        """(n_steps,) share of the image's variance after each step, from nearly 1 to nearly 0."""
        added = np.linspace(self.first**0.5, self.last**0.5, self.n_steps) ** 2
        return jnp.asarray(np.cumprod(1 - added), jnp.float32)

    def trajectory(
        self, n_steps: int = 50, strength: float = 1.0, one_step_noisier: bool = False
    ) -> Trajectory:
        """The steps of a sampler: evenly spaced, from the noisiest.

        Args:
            n_steps: from pure noise to an image.
            strength: share of them that is taken, rounded down: below 1 from a noised image.
            one_step_noisier: whether the image gets the noise of the step before the first one
                taken, as the code of Versatile Diffusion has it, with which Brain-Diffuser was
                published: of 50 steps at strength .75, that of step 741 where 721 comes first.

        Returns:
            The steps, and what is kept of the image at them. After the last step this is what is
            kept at step 0.

        Raises:
            InputError: a number is out of range.
        """
        if not 1 <= n_steps <= self.n_steps - self.offset:
            raise InputError(
                f"n_steps is {n_steps}: expected 1 to {self.n_steps - self.offset} of the "
                f"{self.n_steps} steps of the diffusion."
            )
        taken = min(int(n_steps * strength), n_steps)
        if taken < 1 or taken + one_step_noisier > n_steps:
            raise InputError(
                f"strength {strength:g} takes {taken} of {n_steps} steps: expected 1 to "
                f"{n_steps - one_step_noisier}; change strength or n_steps."
            )
        spacing = self.n_steps // n_steps
        upwards = np.arange(n_steps) * spacing + self.offset
        kept = self.kept()
        first = upwards[taken - 1 + one_step_noisier]
        downwards = upwards[:taken][::-1].copy()
        return Trajectory(
            steps=jnp.asarray(downwards, jnp.int32),
            kept=kept[downwards],
            kept_next=kept[np.append(downwards[1:], 0)],
            kept_first=kept[first],
        )


def add_noise(latents: jax.Array, noise: jax.Array, kept: jax.Array) -> jax.Array:
    """Latents at a step of the diffusion: their share that is kept, and noise for the rest.

    Args:
        latents: (n, ...).
        noise: the same shape, standard normal.
        kept: share of the latents' variance, () or (n,).

    Returns:
        (n, ...); Ho et al. (2020), equation 4.
    """
    kept = jnp.reshape(kept, (-1,) + (1,) * (latents.ndim - 1))
    return jnp.sqrt(kept) * latents + jnp.sqrt(1 - kept) * noise
