"""The first parameters of a network and the first state of its optimiser."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from fmri_jax.methods.gan.config import Config
from fmri_jax.methods.gan.state import NetworkState


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def start_network(
    network: nn.Module,
    options: tuple[tuple[str, bool], ...],
    optimiser: Callable[[Config], optax.GradientTransformation],
    config: Config,
    example: jax.Array,
    seed: jax.Array,
) -> NetworkState:
    """A network's first parameters and its optimiser's first state, in one small program.

    One for all folds. Drawn by XLA's own generator: threefry's rounds, inlined once per parameter,
    took five times as long to compile (11 s against 2 s for a generator of 32 pixels).

    Args:
        network: what is started.
        options: of its call, beside the example.
        optimiser: of the config.
        config: the optimiser's options.
        example: what the network takes, of which the shape counts.
        seed: (4,) random bits.
    """
    named: dict[str, Any] = dict(options)
    variables = network.init(jax.random.wrap_key_data(seed, impl="rbg"), example, **named)
    return NetworkState(variables["params"], optimiser(config).init(variables["params"]))


def bits(key: jax.Array) -> jax.Array:
    """The seed of XLA's own generator."""
    return jax.random.bits(key, (4,), jnp.uint32)
