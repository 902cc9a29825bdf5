"""Several training steps in one call of the device."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

State = TypeVar("State")
Metrics = dict[str, jax.Array]


def steps_at_once(asked: int) -> int:
    """How many of the steps asked for a call of the device should take: on CPU one.

    XLA's CPU compiler (jaxlib 0.10) brings convolutions into the form that its libraries take only
    outside of loops. Ten steps of the 64 px demo in one call took 32 s there, one by one 1.2 s.
    """
    return 1 if jax.default_backend() == "cpu" else asked


def several_steps(
    step: Callable[..., tuple[State, Metrics]],
) -> Callable[..., tuple[State, Metrics]]:
    """Makes a step over one batch into one over a tuple of batches, to be jitted by the caller.

    A call costs the host a fraction of a millisecond whatever it holds, which matters where a step
    takes the device no longer than that. The batches are stacked and scanned, so that the program
    holds the step once.

    Args:
        step: `(state, batch, *fixed) -> (state, scalar metrics)`.

    Returns:
        `(state, batches, *fixed) -> (state, metrics)`; a metric has one value per batch. It
        compiles once for each number of batches.
    """

    def steps(state: State, batches: tuple[Any, ...], *fixed: Any) -> tuple[State, Metrics]:
        if len(batches) == 1:
            state, metrics = step(state, batches[0], *fixed)
            return state, {name: value[None] for name, value in metrics.items()}
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *batches)
        return lax.scan(lambda state, batch: step(state, batch, *fixed), state, stacked)

    return steps
