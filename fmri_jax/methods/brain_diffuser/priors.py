"""The priors that the options name, and the latents that their VAE has of images."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import arrays as ops
from fmri_jax import priors
from fmri_jax.data.images import resize
from fmri_jax.errors import InputError
from fmri_jax.methods.brain_diffuser.config import Config


def load_priors(config: Config) -> tuple[Any, Any]:
    """The VAE and the diffusion model, None of a stage that is left out.

    Raises:
        InputError: one cannot be had.
    """
    first = second = None
    if config.stages != "second":
        first = priors.load(config.prior, config.prior_weights)
    if config.stages != "first":
        second = priors.load(config.diffusion, config.diffusion_weights)
    return first, second


def block_name(number: int) -> str:
    """Of the latents of the VAE's decoder block."""
    return f"latents {number:02d}"


def latents_of(vae: Any, images: np.ndarray, config: Config) -> dict[str, np.ndarray]:
    """Latents of images (n, h, w, c) uint8, by block, coarse to fine.

    Raises:
        InputError: the VAE has fewer blocks than are asked for.
    """
    total = len(vae.latent_shapes)
    if (config.n_layers or 0) > total:
        raise InputError(
            f"config.method.n_layers is {config.n_layers}: the prior {config.prior} has {total}."
        )
    key = jax.random.key(config.seed) if config.latents == "sample" else None
    found = vae.encode(as_prior_takes(images, vae.image_size), key)[: config.n_layers]
    return {block_name(i): array for i, array in enumerate(found)}


def as_prior_takes(images: np.ndarray, size: int) -> np.ndarray:
    """Images (n, h, w, 1 or 3) uint8 as RGB of the prior's size."""
    return np.asarray(ops.as_rgb(jnp.asarray(resize(images, size))))
