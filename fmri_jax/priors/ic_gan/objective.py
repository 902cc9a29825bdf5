"""What a generator of latents under instances minimises: a conditional VAE in latent space."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fmri_jax.networks.latent_generator import LatentGenerator, NoiseEncoder, encoded
from fmri_jax.priors.ic_gan.config import ICGANConfig

# "latents", (n, h, w, channels), of unit variance; "features", (n, features), in units of their
# spread.
Batch = Mapping[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Objective:
    """Error of an image's latents from its own features and noise, and what the noise may say.

    An encoder finds the noise of each image; its divergence from standard normal noise keeps to
    the noise what the features do not tell, so that noise that is drawn gives another image of the
    same instance (Sohn et al. 2015, conditional variational autoencoder).

    Attributes:
        config: sizes.
        rate_weight: of the divergence, in nats per value of the latents.
    """

    config: ICGANConfig
    rate_weight: float = 0.0

    def initial(self, key: jax.Array) -> Any:
        """Parameters at random."""
        config: Any = self.config.generator
        noise, features = (jnp.zeros((1, n)) for n in (config.noise, config.features))
        rest = jnp.zeros((1, *config.latent_shape))
        one, other = jax.random.split(key)
        return {
            "generator": LatentGenerator(config).init(one, noise, features)["params"],
            "encoder": NoiseEncoder(config).init(other, rest)["params"],
        }

    def __call__(
        self, params: Any, batch: Batch, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The loss of a batch, and its two terms."""
        config: Any = self.config.generator
        latents, features = batch["latents"], batch["features"]
        mean, log_deviation = encoded(config, params, latents, features)
        noise = mean + jnp.exp(log_deviation) * jax.random.normal(key, mean.shape)
        generator = LatentGenerator(config)
        made: Any = generator.apply({"params": params["generator"]}, noise, features)
        error = jnp.mean((made - latents) ** 2)
        divergence = 0.5 * (mean**2 + jnp.exp(2 * log_deviation) - 1) - log_deviation
        rate = divergence.sum() / latents.size
        return error + self.rate_weight * rate, {"mse": error, "rate": rate}
