"""One training step of the GAN: a pure `(state, batch, comparator) -> (state, metrics)`.

The generator runs forward once and backward once: the gradients of all three terms meet at the
generated image and go back through the generator together.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from fmri_jax.data.batches import Batch, random_crop
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.losses import (
    adversarial_loss,
    discriminator_loss,
    feature_loss,
    image_loss,
)
from fmri_jax.methods.gan.pixels import PixelScale, as_rgb, resize
from fmri_jax.methods.gan.state import (
    GANState,
    Gate,
    Player,
    discriminator_optimiser,
    generator_optimiser,
)
from fmri_jax.networks import Generator

Metrics = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class Networks:
    """The three networks as static descriptions; their parameters travel in the state."""

    generator: Generator
    discriminator: nn.Module
    comparator: nn.Module


@dataclasses.dataclass(frozen=True)
class TrainStep:
    """The step of one GAN: networks and options are fixed, all arrays are arguments."""

    networks: Networks
    config: Config

    def __call__(
        self, state: GANState, batch: Batch, comparator: Any, scale: PixelScale
    ) -> tuple[GANState, Metrics]:
        """Updates both networks once.

        Args:
            state: everything that changes.
            batch: trials and the images seen in them.
            comparator: frozen parameters of the comparator; an argument, never a constant.
            scale: mean and standard deviation of the training pixels.

        Returns:
            The next state, and scalar metrics: each loss term unweighted, gradient norms.
        """
        config = self.config
        keys = jax.random.split(jax.random.fold_in(state.key, state.step), 4)
        seen = random_crop(keys[0], batch.images, config.crop) if config.crop else batch.images
        fmri = batch.fmri
        if config.fmri_noise:
            fmri += config.fmri_noise * jax.random.normal(keys[1], fmri.shape)
        generated, pull = jax.vjp(
            lambda params: self.generate(params, fmri, scale), state.generator.params
        )
        terms, toward = self.image_and_feature_terms(comparator, generated, seen)
        discriminator, gate = state.discriminator, state.gate
        if discriminator is not None:
            updated, metrics = self.update_discriminator(
                discriminator, seen, generated, scale, keys, gate
            )
            critic = updated if config.update == "alternating" else discriminator
            terms["adversarial"], adversarial_toward = jax.value_and_grad(self.adversarial_term)(
                generated, critic.params, scale, keys[3]
            )
            toward += config.adversarial_weight * adversarial_toward
            if config.gate:
                both = metrics["discriminator_real"] + metrics["discriminator_generated"]
                gate = gate.after(both, terms["adversarial"])
            terms |= metrics
            discriminator = updated
        (gradients,) = pull(toward)
        allowed = state.gate.generator if config.gate else None
        generator = state.generator.update(gradients, generator_optimiser(config), allowed)
        terms["generator_gradient"] = optax.global_norm(gradients)
        return (
            GANState(state.step + 1, state.key, generator, discriminator, gate),
            terms,
        )

    def generate(self, params: Any, fmri: jax.Array, scale: PixelScale) -> jax.Array:
        """fMRI (n, voxels) -> images (n, h, w, c) around [0, 1], not clipped."""
        units: Any = self.networks.generator.apply({"params": params}, fmri)
        return scale.to_pixels(units)

    def image_and_feature_terms(
        self, comparator: Any, generated: jax.Array, seen: jax.Array
    ) -> tuple[Metrics, jax.Array]:
        """The two terms that need no discriminator, and their weighted gradient at the image."""
        config = self.config

        def weighted(images: jax.Array) -> tuple[jax.Array, Metrics]:
            terms = {"image": image_loss(images, seen)}
            total = config.image_weight * terms["image"]
            if config.feature_weight:
                terms["feature"] = feature_loss(
                    self.features(comparator, images), self.features(comparator, seen)
                )
                total += config.feature_weight * terms["feature"]
            return total, terms

        toward, terms = jax.grad(weighted, has_aux=True)(generated)
        return terms, toward

    def features(self, comparator: Any, images: jax.Array) -> dict[str, jax.Array]:
        """The comparator's activations of images (n, h, w, c) in [0, 1]; both sides alike."""
        images = as_rgb(resize(images, self.config.comparator_size))
        activations: Any = self.networks.comparator.apply({"params": comparator}, images)
        return {
            layer: activations[layer].astype(jnp.float32) for layer in self.config.comparator_layers
        }

    def adversarial_term(
        self, generated: jax.Array, params: Any, scale: PixelScale, key: jax.Array
    ) -> jax.Array:
        """-log D(G(fmri)) as a function of the generated images."""
        return adversarial_loss(self.criticise(params, generated, scale, key))

    def criticise(
        self, params: Any, images: jax.Array, scale: PixelScale, key: jax.Array
    ) -> jax.Array:
        """The discriminator's logits (n, 2) in training, with dropout."""
        logits: Any = self.networks.discriminator.apply(
            {"params": params}, scale.to_units(images), train=True, rngs={"dropout": key}
        )
        return logits

    def update_discriminator(
        self,
        player: Player,
        seen: jax.Array,
        generated: jax.Array,
        scale: PixelScale,
        keys: jax.Array,
        gate: Gate,
    ) -> tuple[Player, Metrics]:
        """One step of the discriminator on real and generated images."""

        def loss(params: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            real, fake = discriminator_loss(
                self.criticise(params, seen, scale, keys[2]),
                self.criticise(params, generated, scale, keys[3]),
            )
            return real + fake, (real, fake)

        gradients, (real, fake) = jax.grad(loss, has_aux=True)(player.params)
        metrics = {
            "discriminator_real": real,
            "discriminator_generated": fake,
            "discriminator_gradient": optax.global_norm(gradients),
        }
        allowed = gate.discriminator if self.config.gate else None
        return player.update(gradients, discriminator_optimiser(self.config), allowed), metrics


@functools.lru_cache(maxsize=8)
def jitted(step: TrainStep) -> Callable[..., tuple[GANState, Metrics]]:
    """The step compiled with its state donated: parameters are updated in place.

    Cached by value, so that the folds of a cross-validation share one compilation.
    """
    return jax.jit(step.__call__, donate_argnums=0)
