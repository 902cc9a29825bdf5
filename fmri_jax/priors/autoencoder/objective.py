"""What an autoencoder of latent diffusion minimises."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from fmri_jax.networks.autoencoder_kl import AutoencoderKL
from fmri_jax.priors.autoencoder.prior import AutoencoderConfig


@dataclasses.dataclass(frozen=True)
class Objective:
    """Squared error of images from latents drawn from their posterior, and a small divergence.

    Rombach et al. (2022), section 3.1, without their adversarial and perceptual terms: scores of
    reconstructions would count networks that were trained for them.

    Attributes:
        config: sizes.
        rate_weight: of the divergence of the latents from standard normal ones, in nats per colour
            of a pixel. It only keeps latents in bounds, and noise that the decoder is robust to.
    """

    config: AutoencoderConfig
    rate_weight: float = 1e-4

    def initial(self, key: jax.Array) -> Any:
        """Parameters at random."""
        size = self.config.image_size
        images = jnp.zeros((1, size, size, self.config.autoencoder.colours))
        return AutoencoderKL(self.config.autoencoder).init(key, images)["params"]

    def __call__(
        self, params: Any, images: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The loss and its two terms, for images (n, size, size, colours) in [0, 1]."""
        model = AutoencoderKL(self.config.autoencoder)
        posterior: Any = model.apply({"params": params}, 2 * images - 1, method="encode")
        mean, log_variance = posterior
        latents = mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)
        found: Any = model.apply({"params": params}, latents, method="decode")
        error = jnp.mean((0.5 + 0.5 * found - images) ** 2)
        divergence = 0.5 * (mean**2 + jnp.exp(log_variance) - 1 - log_variance)
        rate = divergence.sum() / images.size
        return error + self.rate_weight * rate, {"mse": error, "rate": rate}
