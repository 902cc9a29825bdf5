"""A trained very deep VAE: images <-> latents, coarse to fine."""

import dataclasses
import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import block_size, in_blocks
from fmri_jax.config import section
from fmri_jax.errors import InputError
from fmri_jax.networks import compiler
from fmri_jax.networks.vdvae import VDVAE, VDVAEConfig
from fmri_jax.pretrained.vdvae import vdvae_shapes
from fmri_jax.priors import files
from fmri_jax.priors.images import as_taken
from fmri_jax.priors.prior import Prior
from fmri_jax.priors.vdvae import mixture
from fmri_jax.priors.vdvae.objective import draw_noise, normalised

BLOCK = 16  # images in the network at a time
Latents = tuple[np.ndarray, ...]  # of the first blocks of the decoder, (n, h, w, channels)


@dataclasses.dataclass(frozen=True)
class VDVAEPrior(Prior):
    """A very deep VAE; `params` are of `networks.vdvae.VDVAE`."""

    config: VDVAEConfig

    @property
    def latent_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """(height, width, channels) of the latents of each block of the decoder."""
        return self.config.latent_shapes()

    def encode(self, images: Any, key: jax.Array | None = None) -> Latents:
        """Latents of images.

        Args:
            images: (n, size, size, 3) in [0, 1] or uint8.
            key: of a draw from the posterior, as Ozcelik & VanRullen (2023) take it; without, the
                posterior's means, each given the means before it, which is no draw.

        Returns:
            (n, h, w, channels) of each block of the decoder.

        Raises:
            InputError: the images are of another size.
        """
        rows = as_taken(images, self.image_size)
        noise = _noise(self.latent_shapes, len(rows), key)
        encode = functools.partial(_encode, self.config, self.params)
        return in_blocks(encode, (rows, *noise), block_size(len(rows), BLOCK))

    def decode(
        self,
        latents: Any,
        key: jax.Array | None = None,
        temperature: float = 1.0,
        pixels: str = "mean",
    ) -> np.ndarray:
        """Images of latents.

        Args:
            latents: (n, h, w, channels) of the first blocks of the decoder, one or more of them;
                the others follow from the prior.
            key: of draws from the prior, and of the pixels; without, the prior's means.
            temperature: factor of the prior's standard deviations.
            pixels: "mean" of each pixel's distribution, or "sample", as published.

        Returns:
            (n, size, size, 3) float32 in [0, 1].

        Raises:
            InputError: latents of other shapes, or a sample without a key.
        """
        given = tuple(np.asarray(array, np.float32) for array in latents)
        expected = self.latent_shapes[: len(given)]
        if not given or tuple(array.shape[1:] for array in given) != expected:
            raise InputError(
                f"latents have shapes {[array.shape for array in given]}: expected (n, *shape) "
                f"with the first of {self.latent_shapes}."
            )
        if pixels not in ("mean", "sample") or (pixels == "sample" and key is None):
            raise InputError(
                f"pixels is {pixels!r}: expected 'mean', or 'sample' together with a key."
            )
        n = len(given[0])
        keys = (None, None) if key is None else tuple(jax.random.split(key))
        noise = _noise(self.latent_shapes[len(given) :], n, keys[0])
        seeds = np.zeros((n, 2), np.uint32)
        if keys[1] is not None:
            seeds = np.asarray(jax.random.bits(keys[1], (n, 2), jnp.uint32))
        decode = functools.partial(
            _decode, self.config, len(given), pixels == "sample", self.params, temperature
        )
        return in_blocks(decode, (*given, *noise, seeds), block_size(n, BLOCK))

    def sample(self, n: int, key: jax.Array, temperature: float = 1.0) -> np.ndarray:
        """Images from the prior alone: (n, size, size, 3) float32 in [0, 1].

        Args:
            n: how many.
            key: of the draws.
            temperature: factor of the standard deviations.
        """
        noise = _noise(self.latent_shapes, n, key)
        decode = functools.partial(_decode, self.config, 0, False, self.params, temperature)
        return in_blocks(decode, (*noise, np.zeros((n, 2), np.uint32)), block_size(n, BLOCK))


def restore(about: dict[str, Any], params: Any, folder: pathlib.Path) -> VDVAEPrior:
    """The prior of a folder that `priors.files` has read.

    Raises:
        InputError: the parameters are not those of the config.
    """
    config = section(VDVAEConfig, about["config"], str(folder))
    files.check_parameters(folder, params, vdvae_shapes(config))
    return VDVAEPrior(config, params, about.get("card", {}), about.get("sha256", ""))


def _noise(
    shapes: tuple[tuple[int, int, int], ...], n: int, key: jax.Array | None
) -> tuple[np.ndarray, ...]:
    if key is None or not shapes:
        return tuple(np.zeros((n, *shape), np.float32) for shape in shapes)
    return tuple(np.asarray(array) for array in draw_noise(shapes, n, key))


@functools.partial(compiler.jit, static_argnums=0)
def _encode(
    config: VDVAEConfig, params: Any, images: jax.Array, *noise: jax.Array
) -> tuple[jax.Array, ...]:
    with jax.default_matmul_precision("highest"):
        found: Any = VDVAE(config).apply({"params": params}, normalised(images), noise)
    return tuple(found[2])


@functools.partial(compiler.jit, static_argnums=(0, 1, 2))
def _decode(
    config: VDVAEConfig,
    n_given: int,
    sampled: bool,
    params: Any,
    temperature: float,
    *arrays: jax.Array,
) -> jax.Array:
    """Arrays are the latents given, noise for the others, and the seed of each image's pixels."""
    given, noise, seeds = arrays[:n_given], arrays[n_given:-1], arrays[-1]
    with jax.default_matmul_precision("highest"):
        parameters: Any = VDVAE(config).apply(
            {"params": params}, given, noise, temperature, method="decode"
        )
    if sampled:
        keys = jax.random.wrap_key_data(seeds, impl="threefry2x32")
        images = jax.vmap(mixture.sample)(parameters, keys)
    else:
        images = mixture.expected(parameters)
    return jnp.clip(0.5 + 0.5 * images, 0, 1)
