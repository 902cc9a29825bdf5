"""What a generator of latents under instances minimises: a conditional VAE in latent space.

Squared errors of latents alone make blurred images: of all that the features leave open the mean is
best. The distance of the decoded images in LPIPS, beside it, asks for their texture.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fmri_jax.evaluation.perceptual import lpips_distance, prepare
from fmri_jax.features.registry import NETWORKS
from fmri_jax.networks.autoencoder_kl import AutoencoderKL
from fmri_jax.networks.latent_generator import LatentGenerator, NoiseEncoder, encoded
from fmri_jax.priors.ic_gan.config import ICGANConfig

# Pixels between two positions of AlexNet's first convolution. A generator whose images always lay
# at the same position would learn what these cannot see: its LPIPS held there alone.
STRIDE = 4

# "latents", (n, h, w, channels), of unit variance; "features", (n, features), in units of their
# spread; "fixed", where LPIPS counts: parameters of "autoencoder" and "alexnet", and "lpips_heads".
Batch = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Objective:
    """Error of an image's latents from its own features and noise, and what the noise may say.

    An encoder finds the noise of each image; its divergence from standard normal noise keeps to
    the noise what the features do not tell, so that noise that is drawn gives another image of the
    same instance (Sohn et al. 2015, conditional variational autoencoder).

    Attributes:
        config: sizes.
        rate_weight: of the divergence, in nats per value of the latents.
        lpips_weight: of the distance of the image from that of its true latents (Zhang et al.
            2018); 0: nothing is decoded.
    """

    config: ICGANConfig
    rate_weight: float = 0.0
    lpips_weight: float = 0.0

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
        """The loss of a batch, and its terms."""
        config: Any = self.config.generator
        latents, features = batch["latents"], batch["features"]
        mean, log_deviation = encoded(config, params, latents, features)
        of_noise, of_position = jax.random.split(key)
        noise = mean + jnp.exp(log_deviation) * jax.random.normal(of_noise, mean.shape)
        generator = LatentGenerator(config)
        made: Any = generator.apply({"params": params["generator"]}, noise, features)
        error = jnp.mean((made - latents) ** 2)
        divergence = 0.5 * (mean**2 + jnp.exp(2 * log_deviation) - 1) - log_deviation
        rate = divergence.sum() / latents.size
        loss, terms = error + self.rate_weight * rate, {"mse": error, "rate": rate}
        if self.lpips_weight:
            terms["lpips"] = self._lpips(made, latents, batch["fixed"], of_position)
            loss += self.lpips_weight * terms["lpips"]
        return loss, terms

    def _lpips(self, made: jax.Array, latents: jax.Array, fixed: Any, key: jax.Array) -> jax.Array:
        """Mean LPIPS of the images of two stacks of latents, moved alike."""
        assert self.config.autoencoder is not None
        autoencoder, network = AutoencoderKL(self.config.autoencoder), NETWORKS["alexnet"]

        def seen(rows: jax.Array) -> dict[str, jax.Array]:
            given = {"params": fixed["autoencoder"]}
            images: Any = autoencoder.apply(given, rows, method="decode")
            return network.activations(fixed["alexnet"], prepare(moved(0.5 + 0.5 * images, key)))

        distances = lpips_distance(seen(latents), seen(made), fixed["lpips_heads"])
        return jnp.mean(distances)


def moved(images: jax.Array, key: jax.Array) -> jax.Array:
    """Images with `STRIDE` - 1 rows and columns more, mirrored ones, before them or after them.

    Args:
        images: (n, height, width, channels).
        key: of how many go before, as many for all images.

    Returns:
        (n, height + 3, width + 3, channels).
    """
    n, height, width, channels = images.shape
    most = STRIDE - 1
    around = jnp.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="reflect")
    top, left = jax.random.randint(key, (2,), 0, STRIDE)
    size = (n, height + most, width + most, channels)
    return jax.lax.dynamic_slice(around, (0, top, left, 0), size)
