"""What a very deep VAE minimises: the negative evidence lower bound."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from fmri_jax.networks.vdvae import VDVAE, Gaussian, VDVAEConfig
from fmri_jax.priors.vdvae import mixture

# Of 64 px ImageNet, in grey levels: the scale in which the released network takes images.
MEAN, SPREAD = 115.92961967, 69.37404


def normalised(images: jax.Array) -> jax.Array:
    """Images in [0, 1] as the encoder takes them."""
    return (255 * images - MEAN) / SPREAD


def divergence(posterior: Gaussian, prior: Gaussian) -> jax.Array:
    """Kullback-Leibler divergence of two diagonal Gaussians, elementwise, in nats.

    Args:
        posterior: mean and log standard deviation.
        prior: the same.
    """
    (mean, log_sigma), (prior_mean, prior_log_sigma) = posterior, prior
    squares = jnp.exp(2 * log_sigma) + (mean - prior_mean) ** 2
    return prior_log_sigma - log_sigma + 0.5 * squares * jnp.exp(-2 * prior_log_sigma) - 0.5


@dataclasses.dataclass(frozen=True)
class Objective:
    """The bound, per colour of a pixel, as bits.

    Attributes:
        config: of the network.
        rate_weight: of the latents' divergence from their prior; 1 is the bound itself. A small
            network that is trained briefly leaves fine detail to the noise of the pixels, which
            costs the bound little and the images much: below 1 the latents take it (Higgins et al.
            2017, beta-VAE).
    """

    config: VDVAEConfig
    rate_weight: float = 1.0

    def initial(self, key: jax.Array) -> Any:
        """Parameters at random."""
        size, noise = self.config.image_size, self._noise(key, 1)
        image = jnp.zeros((1, size, size, self.config.channels))
        return VDVAE(self.config).init(key, image, noise)["params"]

    def __call__(
        self, params: Any, images: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The loss and its two terms, for images (n, size, size, 3) in [0, 1]."""
        noise = self._noise(key, len(images))
        found: Any = VDVAE(self.config).apply({"params": params}, normalised(images), noise)
        parameters, pairs, _ = found
        unit = images.size * math.log(2)
        rate = sum((divergence(*pair).sum() for pair in pairs), jnp.zeros(())) / unit
        distortion = -mixture.log_likelihood(parameters, 2 * images - 1).sum() / unit
        error = jnp.mean((0.5 + 0.5 * mixture.expected(parameters) - images) ** 2)
        terms = {"bound": rate + distortion, "rate": rate, "distortion": distortion, "mse": error}
        return self.rate_weight * rate + distortion, terms

    def _noise(self, key: jax.Array, n: int) -> tuple[jax.Array, ...]:
        return draw_noise(self.config.latent_shapes(), n, key)


def draw_noise(
    shapes: tuple[tuple[int, int, int], ...], n: int, key: jax.Array
) -> tuple[jax.Array, ...]:
    """Standard normal arrays (n, *shape), cut out of a single draw: one generator to compile."""
    sizes = [math.prod(shape) for shape in shapes]
    drawn = jax.random.normal(key, (n, sum(sizes)))
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    parts = jnp.split(drawn, ends[:-1], axis=1)
    return tuple(part.reshape(n, *shape) for part, shape in zip(parts, shapes, strict=True))
