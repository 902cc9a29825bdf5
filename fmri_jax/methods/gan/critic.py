"""The discriminator's part of a training step, and what it tells the generator."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.losses import adversarial_loss, discriminator_loss, shared_cotangent
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.state import Gate, Player, discriminator_optimiser
from fmri_jax.training.gradients import gradient_norm

Metrics = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Critic:
    """The discriminator as a static description; its parameters travel in a `Player`.

    Attributes:
        network: the discriminator.
        config: the options of the GAN.
        scale: mean and standard deviation of the training pixels.
        keys: two random keys: of dropout on seen images and on generated ones. The latter is the
            same for both losses.
    """

    network: nn.Module
    config: Config
    scale: PixelScale
    keys: jax.Array

    def update(
        self, player: Player, seen: jax.Array, generated: jax.Array, gate: Gate
    ) -> tuple[Player, Metrics, jax.Array]:
        """One step of the discriminator.

        Args:
            player: its parameters and optimiser.
            seen: (n, h, w, c) photographs in [0, 1].
            generated: (n, h, w, c) the generator's images.
            gate: whether it may learn.

        Returns:
            The player after the step; the unweighted losses, the adversarial one among them; and
            the gradient of the adversarial loss at the generated images.
        """
        if self.config.update == "simultaneous":
            return self._simultaneous(player, seen, generated, gate)
        return self._alternating(player, seen, generated, gate)

    def _simultaneous(
        self, player: Player, seen: jax.Array, generated: jax.Array, gate: Gate
    ) -> tuple[Player, Metrics, jax.Array]:
        """Generated images pass forwards once and backwards once, for both losses."""
        logits, pull = jax.vjp(
            lambda params, images: self.logits(params, images, self.keys[1]),
            player.params,
            generated,
        )
        cotangent, exchange = shared_cotangent(logits)
        from_generated, at_images = pull(cotangent)

        def real_loss(params: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            losses = discriminator_loss(self.logits(params, seen, self.keys[0]), logits)
            return losses[0], losses

        from_real, losses = jax.grad(real_loss, has_aux=True)(player.params)
        gradients = jax.tree.map(jnp.add, from_real, from_generated)
        updated, metrics = self._step(player, gradients, losses, gate)
        metrics["adversarial"] = adversarial_loss(logits)
        return updated, metrics, exchange[:, None, None, None] * at_images

    def _alternating(
        self, player: Player, seen: jax.Array, generated: jax.Array, gate: Gate
    ) -> tuple[Player, Metrics, jax.Array]:
        """The generated images pass a second time, through the discriminator after its step."""

        def loss(params: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            losses = discriminator_loss(
                self.logits(params, seen, self.keys[0]),
                self.logits(params, generated, self.keys[1]),
            )
            return losses[0] + losses[1], losses

        gradients, losses = jax.grad(loss, has_aux=True)(player.params)
        updated, metrics = self._step(player, gradients, losses, gate)

        def adversarial(images: jax.Array) -> jax.Array:
            return adversarial_loss(self.logits(updated.params, images, self.keys[1]))

        metrics["adversarial"], at_images = jax.value_and_grad(adversarial)(generated)
        return updated, metrics, at_images

    def _step(
        self, player: Player, gradients: Any, losses: tuple[jax.Array, jax.Array], gate: Gate
    ) -> tuple[Player, Metrics]:
        metrics = {
            "discriminator_real": losses[0],
            "discriminator_generated": losses[1],
            "discriminator_gradient": gradient_norm(gradients),
        }
        allowed = gate.discriminator if self.config.gate else None
        return player.update(gradients, discriminator_optimiser(self.config), allowed), metrics

    def logits(self, params: Any, images: jax.Array, key: jax.Array) -> jax.Array:
        """(n, h, w, c) pixels in [0, 1] -> logits (n, 2) in training, with dropout."""
        logits: Any = self.network.apply(
            {"params": params}, self.scale.to_units(images), train=True, rngs={"dropout": key}
        )
        return logits
