"""The state of GAN training: both networks, both optimisers, the update gate, key and step."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from fmri_jax.methods.gan.config import Config


@flax.struct.dataclass
class Gate:
    """Which network may learn (code of Shen et al. 2019, after Dosovitskiy & Brox 2016).

    With r = (D_real + D_generated) / adversarial: r < 0.1 says that the discriminator is far ahead
    and pauses it until r > 0.5; r > 10 that it is far behind, and pauses the generator until the
    discriminator is far ahead again (r < 0.1).
    """

    generator: jax.Array
    discriminator: jax.Array

    @classmethod
    def open(cls) -> "Gate":
        """Both networks learn."""
        return cls(generator=jnp.array(True), discriminator=jnp.array(True))

    def after(self, discriminator_loss: jax.Array, adversarial_loss: jax.Array) -> "Gate":
        """The gate of the next update, from the scalar losses of this one."""
        ratio = discriminator_loss / jnp.maximum(adversarial_loss, 1e-12)
        discriminator = jnp.where(
            ratio < 0.1, False, jnp.where(ratio > 0.5, True, self.discriminator)
        )
        generator = jnp.where(ratio < 0.1, True, jnp.where(ratio > 10.0, False, self.generator))
        return Gate(generator=generator, discriminator=discriminator)


@flax.struct.dataclass
class NetworkState:
    """One network's parameters and its optimiser's state."""

    params: Any
    optimiser: Any

    def update(
        self,
        gradients: Any,
        optimiser: optax.GradientTransformation,
        allowed: jax.Array | None = None,
    ) -> "NetworkState":
        """One optimiser step; where `allowed` is false nothing changes, moments included."""
        updates, new_state = optimiser.update(gradients, self.optimiser, self.params)
        updated = NetworkState(
            params=optax.apply_updates(self.params, updates), optimiser=new_state
        )
        if allowed is None:
            return updated
        return jax.tree.map(lambda new, old: jnp.where(allowed, new, old), updated, self)


@flax.struct.dataclass
class GANState:
    """Everything that a killed run needs to resume to the same numbers."""

    step: jax.Array
    key: jax.Array
    generator: NetworkState
    discriminator: NetworkState | None
    gate: Gate


@flax.struct.dataclass
class AveragedState(GANState):
    """With the moving average of the generator's parameters.

    A class of its own, so that checkpoints without an average are those of versions that had none.
    """

    average: Any


def learning_rate(config: Config, base: float) -> optax.Schedule:
    """Halved at `halve_at`, or a half cosine to zero over all steps."""
    if config.cosine_decay:
        return optax.cosine_decay_schedule(base, config.total_steps)
    return optax.piecewise_constant_schedule(base, dict.fromkeys(config.halve_at, 0.5))


def generator_optimiser(config: Config) -> optax.GradientTransformation:
    """Adam (Kingma & Ba 2015), with decoupled decay if the config asks for it."""
    adam = optax.adamw(
        learning_rate(config, config.learning_rate),
        b1=config.first_moment,
        weight_decay=config.generator_weight_decay,
    )
    return _clipped(config, adam)


def _clipped(
    config: Config, optimiser: optax.GradientTransformation
) -> optax.GradientTransformation:
    """Scales gradients down to the largest norm first, if the config has one."""
    if config.largest_gradient is None:
        return optimiser
    return optax.chain(optax.clip_by_global_norm(config.largest_gradient), optimiser)


def discriminator_optimiser(config: Config) -> optax.GradientTransformation:
    """Adam over gradients with L2 decay added, which is what Caffe's `weight_decay` does."""
    adam = optax.chain(
        optax.add_decayed_weights(config.weight_decay),
        optax.adam(
            learning_rate(config, config.discriminator_learning_rate), b1=config.first_moment
        ),
    )
    return _clipped(config, adam)
