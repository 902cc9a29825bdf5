"""A trained autoencoder of latent diffusion: images <-> latents."""

import dataclasses
import functools
import pathlib
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import block_size, in_blocks
from fmri_jax.config import section
from fmri_jax.errors import InputError
from fmri_jax.networks import compiler
from fmri_jax.networks.autoencoder_kl import AutoencoderKL, AutoencoderKLConfig
from fmri_jax.pretrained.latent_diffusion import autoencoder_shapes
from fmri_jax.priors import files
from fmri_jax.priors.images import as_taken
from fmri_jax.priors.prior import Prior

BLOCK = 8  # images in the network at a time


@dataclasses.dataclass(frozen=True)
class AutoencoderConfig:
    """An autoencoder and the images that it was trained on.

    Attributes:
        autoencoder: sizes of the network.
        image_size: px, the side of the images.
    """

    autoencoder: AutoencoderKLConfig
    image_size: int

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the latents."""
        side = self.image_size // self.autoencoder.reduction
        return side, side, self.autoencoder.latent_channels


@dataclasses.dataclass(frozen=True)
class AutoencoderPrior(Prior):
    """An autoencoder; `params` are of `networks.autoencoder_kl.AutoencoderKL`."""

    config: AutoencoderConfig

    def encode(self, images: Any) -> np.ndarray:
        """Latents of images: the posterior's means.

        Args:
            images: (n, size, size, 3) in [0, 1] or uint8.

        Returns:
            (n, h, w, channels) float32.

        Raises:
            InputError: the images are of another size.
        """
        rows = as_taken(images, self.image_size)
        run = functools.partial(_encode, self.config.autoencoder, self.params)
        return cast(np.ndarray, in_blocks(run, (rows,), block_size(len(rows), BLOCK)))

    def decode(self, latents: Any) -> np.ndarray:
        """Latents (n, h, w, channels) -> images (n, size, size, 3) float32 in [0, 1]."""
        rows = np.asarray(latents, np.float32)
        run = functools.partial(decoded, self.config.autoencoder, self.params)
        return cast(np.ndarray, in_blocks(run, (rows,), block_size(len(rows), BLOCK)))

    def sample(self, n: int, key: jax.Array, temperature: float = 1.0) -> np.ndarray:
        """Images (n, size, size, 3) of independent normal latents, which it has no prior of.

        What a model of the latents has to surpass.
        """
        drawn = jax.random.normal(key, (n, *self.config.latent_shape))
        return self.decode(temperature * drawn)


def restore(about: dict[str, Any], params: Any, folder: pathlib.Path) -> AutoencoderPrior:
    """The prior of a folder that `priors.files` has read.

    Raises:
        InputError: the config cannot be read, or the parameters are not its.
    """
    content, where = dict(about["config"]), str(folder)
    autoencoder = section(AutoencoderKLConfig, content.pop("autoencoder", {}), where)
    try:
        config = AutoencoderConfig(autoencoder, **content)
    except TypeError as error:
        raise InputError(f"{folder} has a config that cannot be read ({error}).") from error
    files.check_parameters(folder, params, autoencoder_shapes(autoencoder))
    return AutoencoderPrior(config, params, about.get("card", {}), about.get("sha256", ""))


@functools.partial(compiler.jit, static_argnums=0)
def _encode(config: AutoencoderKLConfig, params: Any, images: jax.Array) -> jax.Array:
    found: Any = AutoencoderKL(config).apply({"params": params}, 2 * images - 1, method="encode")
    return found[0]


@functools.partial(compiler.jit, static_argnums=0)
def decoded(config: AutoencoderKLConfig, params: Any, latents: jax.Array) -> jax.Array:
    """Images in [0, 1] of unscaled latents (n, h, w, channels)."""
    images: Any = AutoencoderKL(config).apply({"params": params}, latents, method="decode")
    return jnp.clip(0.5 + 0.5 * images, 0, 1)
