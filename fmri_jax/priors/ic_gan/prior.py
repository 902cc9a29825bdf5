"""A trained generator under instances: features and noise -> images."""

import dataclasses
import functools
import pathlib
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import features as networks
from fmri_jax.arrays import block_size, in_blocks
from fmri_jax.errors import InputError
from fmri_jax.image_store.activations import activations
from fmri_jax.networks import compiler
from fmri_jax.networks.autoencoder_kl import AutoencoderKL
from fmri_jax.networks.biggan import BigGANGenerator
from fmri_jax.networks.biggan_config import BigGANConfig
from fmri_jax.networks.latent_generator import (
    LatentGenerator,
    LatentGeneratorConfig,
    NoiseEncoder,
    encoded,
)
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.biggan import generator_shapes
from fmri_jax.pretrained.latent_diffusion import autoencoder_shapes
from fmri_jax.pretrained.rules import Shapes
from fmri_jax.priors import files
from fmri_jax.priors.ic_gan.config import ICGANConfig, from_json
from fmri_jax.priors.images import as_taken
from fmri_jax.priors.prior import Prior

BLOCK = 16  # images in the network at a time
MOST_DEVIATIONS = 2.0  # of the noise, beyond which it is drawn again

Instances = tuple[np.ndarray, np.ndarray]  # features (n, features) and noise (n, noise)


@dataclasses.dataclass(frozen=True)
class ICGANPrior(Prior):
    """A generator under instances.

    `params` hold "params" and "batch_stats" of a `BigGANGenerator`, or "generator", "encoder" and
    "autoencoder" of a generator of latents.
    """

    config: ICGANConfig

    @property
    def conditions(self) -> tuple[str, ...]:
        """What it is told of an image."""
        return ("instance",)

    @property
    def noise_size(self) -> int:
        """Length of the noise."""
        return self.config.generator.noise_used

    @property
    def first_units(self) -> int:
        """Activations of the first dense layer."""
        return self.config.generator.first_units

    @property
    def truncation(self) -> float:
        """Standard deviation of noise that is drawn."""
        return self.config.truncation

    @property
    def has_encoder(self) -> bool:
        """Whether `encode` finds the noise of an image."""
        return self.config.autoencoder is not None

    def embed(self, images: Any, kept: bool = False) -> np.ndarray:
        """Features of instances, (n, features) of unit length.

        Args:
            images: (n, h, w, 1 or 3).
            kept: whether they are read from the cache folder where they were computed before, and
                kept there.
        """
        return unit_length(raw_features(self.config, images, kept))

    def draw_noise(self, n: int, key: jax.Array, truncation: float | None = None) -> np.ndarray:
        """Noise (n, noise): normal, cut off at two deviations, times `truncation`.

        Args:
            n: how many rows.
            key: of the draw.
            truncation: None: that of the config; 0: no noise at all.
        """
        scale = self.config.truncation if truncation is None else truncation
        shape, limit = (n, self.noise_size), MOST_DEVIATIONS
        return np.asarray(scale * jax.random.truncated_normal(key, -limit, limit, shape))

    def generate(self, features: Any, noise: Any, first: Any = None) -> np.ndarray:
        """Images of instances.

        Args:
            features: (n, features), of unit length.
            noise: (n, noise), or longer.
            first: (n, `first_units`) what stands in for the first dense layer's activations.

        Returns:
            (n, size, size, 3) float32 in [0, 1].

        Raises:
            InputError: an array has another shape.
        """
        rows = [np.asarray(features, np.float32), np.asarray(noise, np.float32)]
        if first is not None:
            rows.append(np.asarray(first, np.float32))
        expected = (self.config.generator.features, self.noise_size, self.first_units)
        for name, array, size in zip(("features", "noise", "first"), rows, expected, strict=False):
            fits = array.ndim == 2 and len(array) == len(rows[0])
            if not fits or array.shape[1] < size or (name != "noise" and array.shape[1] > size):
                raise InputError(
                    f"{name} have shape {array.shape}: expected ({len(rows[0])}, {size})."
                )
        run = functools.partial(_generate, self.config, self.params)
        return cast(np.ndarray, in_blocks(run, tuple(rows), block_size(len(rows[0]), BLOCK)))

    def sample(self, features: Any, key: jax.Array, truncation: float | None = None) -> np.ndarray:
        """Images of instances with noise that is drawn: (n, size, size, 3) in [0, 1]."""
        return self.generate(features, self.draw_noise(len(features), key, truncation))

    def encode(self, images: Any) -> Instances:
        """Features and noise of images (n, size, size, 3) in [0, 1] or uint8.

        The noise is what the encoder beside a generator of latents finds; a generator of pixels
        has none, and the noise is 0 (see `inversion`).

        Raises:
            InputError: the images are of another size.
        """
        rows = as_taken(images, self.image_size)
        features = self.embed(rows)
        if not self.has_encoder:
            return features, np.zeros((len(rows), self.noise_size), np.float32)
        run = functools.partial(_encode, self.config, self.params)
        block = block_size(len(rows), BLOCK)
        return features, cast(np.ndarray, in_blocks(run, (features, rows), block))

    def decode(self, instances: Instances) -> np.ndarray:
        """Images (n, size, size, 3) in [0, 1] of what `encode` gives."""
        return self.generate(*instances)


def raw_features(config: ICGANConfig, images: Any, kept: bool = False) -> np.ndarray:
    """Features (n, features) as the network gives them, of images (n, h, w, 1 or 3)."""
    name, layer, preprocessing = config.network, config.layer, config.preprocessing
    if kept:
        found = activations(name, layer, preprocessing, images)
    else:
        found = networks.load(name, (layer,), preprocessing)(images)[layer]
    return found.reshape(len(found), -1)


def unit_length(features: Any) -> np.ndarray:
    """Rows (n, features) divided by their Euclidean lengths; rows of zeros stay."""
    rows = np.asarray(features, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


@functools.cache
def shapes(config: ICGANConfig) -> Shapes:
    """Parameter name -> shape of all that a prior keeps; nothing is computed."""
    generator = config.generator
    if isinstance(generator, BigGANConfig):
        return generator_shapes(generator)
    assert config.autoencoder is not None
    parts = {**latent_shapes(generator), "autoencoder": autoencoder_shapes(config.autoencoder)}
    return {f"{part}/{n}": s for part, found in parts.items() for n, s in found.items()}


def latent_shapes(config: LatentGeneratorConfig) -> dict[str, Shapes]:
    """Those of a generator of latents and of its encoder."""
    given = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
    noise, features = given((1, config.noise)), given((1, config.features))
    rest = given((1, *config.latent_shape))
    return {
        "generator": rules.traced_shapes(LatentGenerator(config), noise, features),
        "encoder": rules.traced_shapes(NoiseEncoder(config), rest),
    }


def restore(about: dict[str, Any], params: Any, folder: pathlib.Path) -> ICGANPrior:
    """The prior of a folder that `priors.files` has read.

    Raises:
        InputError: the config cannot be read, or the parameters are not its.
    """
    config = from_json(about["config"], str(folder))
    files.check_parameters(folder, params, shapes(config))
    return ICGANPrior(config, params, about.get("card", {}), about.get("sha256", ""))


def paint(
    config: ICGANConfig, params: Any, features: jax.Array, noise: jax.Array, first: Any = None
) -> jax.Array:
    """What `ICGANPrior.generate` makes, as a pure, differentiable function.

    Args:
        config: of the prior.
        params: of the prior.
        features: (n, features).
        noise: (n, noise).
        first: (n, `first_units`) or None.
    """
    generator = config.generator
    with jax.default_matmul_precision("highest"):
        if isinstance(generator, BigGANConfig):
            images: Any = BigGANGenerator(generator).apply(params, noise, features, None, first)
            return 0.5 + 0.5 * images
        network, variables = LatentGenerator(generator), {"params": params["generator"]}
        latents: Any = network.apply(variables, noise, features, first)
        assert config.autoencoder is not None
        variables = {"params": params["autoencoder"]}
        images = AutoencoderKL(config.autoencoder).apply(variables, latents, method="decode")
    return jnp.clip(0.5 + 0.5 * images, 0, 1)


_generate = compiler.jit(paint, static_argnums=0)


@functools.partial(compiler.jit, static_argnums=0)
def _encode(config: Any, params: Any, features: jax.Array, images: jax.Array) -> jax.Array:
    with jax.default_matmul_precision("highest"):
        autoencoder, variables = (
            AutoencoderKL(config.autoencoder),
            {"params": params["autoencoder"]},
        )
        posterior: Any = autoencoder.apply(variables, 2 * images - 1, method="encode")
        mean: jax.Array = encoded(config.generator, params, posterior[0], features)[0]
    return mean
