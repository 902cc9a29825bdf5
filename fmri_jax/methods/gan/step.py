"""One training step of the GAN: a pure `(state, batch, comparator) -> (state, metrics)`.

The generator runs forward once and backward once: the gradients of all terms meet at the
generated image and go back through the generator together. So does the discriminator on generated
images, if both networks learn from the same pass (see `discriminator_update`).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from fmri_jax.arrays import as_rgb, resize
from fmri_jax.errors import InputError
from fmri_jax.methods.gan.augmentation import moved_together
from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.discriminator_update import DiscriminatorUpdate, Metrics
from fmri_jax.methods.gan.losses import feature_loss, image_loss
from fmri_jax.methods.gan.pixels import PixelScale
from fmri_jax.methods.gan.sharding import shardings
from fmri_jax.methods.gan.state import AveragedState, GANState, generator_optimiser
from fmri_jax.methods.responses import Responses
from fmri_jax.networks import Generator, compiler
from fmri_jax.networks.refiner import Refiner
from fmri_jax.training.averaging import averaged
from fmri_jax.training.batches import Batch, random_crop
from fmri_jax.training.dispatch import several_steps
from fmri_jax.training.gradients import gradient_norm

Features = dict[str, jax.Array]  # layer -> (n, ...) activations, float32


@dataclasses.dataclass(frozen=True)
class Networks:
    """The three networks as static descriptions; their parameters travel in the state."""

    generator: Generator | Refiner
    discriminator: nn.Module
    comparator: nn.Module


def apply(
    generator: Generator | Refiner, params: Any, given: jax.Array, scale: PixelScale
) -> jax.Array:
    """fMRI (n, voxels), or images for one that refines, -> images around [0, 1], not clipped."""
    refines = isinstance(generator, Refiner)
    units: Any = generator.apply({"params": params}, scale.to_units(given) if refines else given)
    return scale.to_pixels(units)


@dataclasses.dataclass(frozen=True)
class TrainStep:
    """The step of one GAN: networks and options are fixed, all arrays are arguments."""

    networks: Networks
    config: Config

    def __call__(
        self,
        state: GANState,
        batch: Batch,
        comparator: Any,
        scale: PixelScale,
        targets: Features | None = None,
        responses: Responses | None = None,
    ) -> tuple[GANState, Metrics]:
        """Updates both networks once.

        Args:
            state: everything that changes.
            batch: trials and the images shown in them.
            comparator: frozen parameters of the comparator; an argument, never a constant.
            scale: mean and standard deviation of the training pixels.
            targets: comparator features of every training image (see `targets`), of which the
                batch's are taken; None: they are computed here.
            responses: predicts the responses to generated images, where that is a term.

        Returns:
            The next state, and scalar metrics: each loss term unweighted, gradient norms.
        """
        config = self.config
        keys = jax.random.split(jax.random.fold_in(state.key, state.step), 4)
        given, images = self._given(keys, batch)
        generated, vjp = jax.vjp(
            lambda params: self.generate(params, given, scale), state.generator.params
        )
        if targets is not None:
            features = {layer: rows[batch.stimulus] for layer, rows in targets.items()}
        else:
            features = self.features(comparator, images) if config.feature_weight else {}
        terms, toward = self.terms_of_images(
            comparator, generated, images, features, responses, batch.fmri
        )
        discriminator, gate = state.discriminator, state.gate
        if discriminator is not None:
            update = DiscriminatorUpdate(self.networks.discriminator, config, scale, keys[2:])
            discriminator, metrics, adversarial_toward = update(
                discriminator, images, generated, gate
            )
            terms |= metrics
            toward += config.adversarial_weight * adversarial_toward
            if config.gate:
                both = terms["discriminator_real"] + terms["discriminator_generated"]
                gate = gate.after(both, terms["adversarial"])
        (gradients,) = vjp(toward)
        allowed = state.gate.generator if config.gate else None
        generator = state.generator.update(gradients, generator_optimiser(config), allowed)
        terms["generator_gradient"] = gradient_norm(gradients)
        following = (state.step + 1, state.key, generator, discriminator, gate)
        if not isinstance(state, AveragedState):
            return GANState(*following), terms
        average = averaged(state.average, generator.params, config.averaging, state.step)
        return AveragedState(*following, average), terms

    def _given(self, keys: jax.Array, batch: Batch) -> tuple[jax.Array, jax.Array]:
        """What the generator is given, and the images that it is to make of that."""
        config, given, images = self.config, batch.fmri, batch.images
        if config.refines:
            given, images = moved_together(keys[1], given.reshape(images.shape), images)
            if config.crop:
                given = random_crop(keys[0], given, config.crop)  # where the images are cut, too
        elif config.fmri_noise:
            given += config.fmri_noise * jax.random.normal(keys[1], given.shape)
        if config.crop:
            images = random_crop(keys[0], images, config.crop)
        return given, images

    def generate(self, params: Any, given: jax.Array, scale: PixelScale) -> jax.Array:
        """What the generator is given -> images (n, h, w, c) around [0, 1], not clipped."""
        return apply(self.networks.generator, params, given, scale)

    def terms_of_images(
        self,
        comparator: Any,
        generated: jax.Array,
        target_images: jax.Array,
        target_features: Features,
        responses: Responses | None = None,
        measured: jax.Array | None = None,
    ) -> tuple[Metrics, jax.Array]:
        """The terms that need no discriminator, and their weighted gradient at the image.

        Args:
            comparator: frozen parameters.
            generated: (n, h, w, c).
            target_images: (n, h, w, c).
            target_features: comparator features of `target_images`.
            responses: predicts responses from features; None leaves that term out.
            measured: (n, voxels) responses to the target images.
        """
        config = self.config

        def weighted(images: jax.Array) -> tuple[jax.Array, Metrics]:
            terms = {"image": image_loss(images, target_images)}
            total = config.image_weight * terms["image"]
            features = self.features(comparator, images) if config.compares else {}
            if config.feature_weight:
                terms["feature"] = feature_loss(features, target_features)
                total += config.feature_weight * terms["feature"]
            if responses is not None and measured is not None:
                terms["responses"] = jnp.mean(responses.misfit(features, measured))
                total += config.response_weight * terms["responses"]
            return total, terms

        toward, terms = jax.grad(weighted, has_aux=True)(generated)
        return terms, toward

    def features(self, comparator: Any, images: jax.Array) -> Features:
        """The comparator's activations of images (n, h, w, c) in [0, 1]; both sides alike."""
        if size := self.config.comparator_size:
            images = resize(images, size, size, antialias=True)
        images = as_rgb(images)
        activations: Any = self.networks.comparator.apply({"params": comparator}, images)
        layers = self.config.comparator_layers
        if missing := [layer for layer in layers if layer not in activations]:
            raise InputError(
                f"config.method.comparator_layers names {missing[0]!r}, which "
                f"{self.config.comparator} has not at {images.shape[1]} pixels: choose among "
                f"{', '.join(activations)}, or enlarge the images with "
                "config.method.comparator_size=64 or a larger config.preparation.image_size."
            )
        return {layer: activations[layer].astype(jnp.float32) for layer in layers}


@functools.lru_cache(maxsize=8)
def jitted(step: TrainStep) -> Callable[..., tuple[GANState, Metrics]]:
    """The step compiled with its state donated: parameters are updated in place.

    Cached by value, so that the folds of a cross-validation share one compilation.
    """
    return jax.jit(step.__call__, donate_argnums=0, compiler_options=compiler.options())


@functools.lru_cache(maxsize=8)
def jitted_steps(
    step: TrainStep, mesh: Mesh | None = None
) -> Callable[..., tuple[GANState, Metrics]]:
    """As `jitted`, over a tuple of batches: as many steps in one call of the device.

    Args:
        step: the step.
        mesh: the devices over which the state stays split (see `placement`); None: where XLA keeps
            a state that came as copies.
    """
    steps = several_steps(step.__call__)
    if mesh is None:
        return jax.jit(steps, donate_argnums=0, compiler_options=compiler.options())
    devices = mesh

    def in_place(state: GANState, *arguments: Any) -> tuple[GANState, Metrics]:
        state, metrics = steps(state, *arguments)
        return jax.lax.with_sharding_constraint(state, shardings(state, devices)), metrics

    return jax.jit(in_place, donate_argnums=0, compiler_options=compiler.options())
