"""What a small latent diffusion model of our own minimises."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fmri_jax.networks.unet import UNet
from fmri_jax.priors.diffusion import conditions as told
from fmri_jax.priors.diffusion.loss import noise_prediction_loss
from fmri_jax.priors.diffusion.prior import LatentDiffusionConfig
from fmri_jax.priors.training import one_side

# "latents", (n, h, w, channels), of unit variance; "image" and "text", (n, tokens, width), in units
# of their spread; "has_text", (n,), 0 where a photograph has no caption.
Batch = Mapping[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Objective:
    """Error of the noise predicted, where some of the conditions are left out at random.

    The autoencoder and the statistics of the conditions are not trained: `params` hold "unet" and,
    of "conditions", kernels and biases alone.

    Attributes:
        config: sizes; all conditions are projected.
        drop_probability: that an image is told nothing of, for classifier-free guidance.
        drop_one: probability of each condition being left out besides, so that any may be missing.
    """

    config: LatentDiffusionConfig
    drop_probability: float = 0.0
    drop_one: float = 0.0

    def initial(self, key: jax.Array) -> Any:
        """Parameters at random."""
        config = self.config
        of_unet, *of_maps = jax.random.split(key, 1 + len(config.conditions))
        width = config.unet.contexts[0]
        tokens = sum(condition.tokens for condition in config.conditions)
        latents = jnp.zeros((1, *config.latent_shape))
        contexts = (jnp.zeros((1, tokens, width)),)
        params = UNet(config.unet).init(of_unet, latents, jnp.zeros(1, int), contexts)["params"]
        maps = {}
        for condition, one in zip(config.conditions, of_maps, strict=True):
            size = condition.shape[1]
            kernel = jax.random.normal(one, (size, condition.projected * width)) / size**0.5
            maps[condition.kind] = {"kernel": kernel, "bias": jnp.zeros(condition.tokens * width)}
        return {"unet": params, "conditions": maps}

    def __call__(
        self, params: Any, batch: Batch, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The loss of a batch, and nothing beside it."""
        of_drops, of_loss = jax.random.split(key)
        config = self.config
        tokens = []
        for i, condition in enumerate(config.conditions):
            own, rows = params["conditions"][condition.kind], batch[condition.kind]
            found = told.tokens_of(condition, own, rows)
            drawn = jax.random.uniform(jax.random.fold_in(of_drops, i), (len(found),))
            there = (drawn >= self.drop_one) & (batch.get(f"has_{condition.kind}", 1) > 0)
            tokens.append(jnp.where(there[:, None, None], found, 0))
        loss = noise_prediction_loss(
            params["unet"],
            UNet(config.unet),
            batch["latents"],
            (jnp.concatenate(tokens, axis=1),),
            of_loss,
            self.drop_probability,
        )
        return loss, {}


def prepared(rows: Batch, key: jax.Array) -> Batch:
    """A batch in float32 of rows with latents of photographs and of their mirror images.

    Args:
        rows: "latents" (n, 2, h, w, channels), "image" (n, 2, tokens, width), and the text, in any
            precision.
        key: draws which of the two is taken.

    Returns:
        The rows with "latents" (n, h, w, channels) and "image" (n, tokens, width).
    """
    both = {name: rows[name] for name in ("latents", "image") if name in rows}
    taken = {**rows, **one_side(both, key)}
    return {name: array.astype(jnp.float32) for name, array in taken.items()}
