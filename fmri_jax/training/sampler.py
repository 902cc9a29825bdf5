"""Which trials a training step learns from: a pure function of (seed, step).

Trials form an endless stream, epoch after epoch, each epoch in a random order of its own; the batch
of step t is the t-th stretch of that stream.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.training.shuffle import shuffled

_STEPS_AT_ONCE = 64  # whose trials are drawn in one go


def batch_trials(key: jax.Array, step: jax.Array | int, n_trials: int, size: int) -> jax.Array:
    """The trials of one step.

    Args:
        key: typed key of the whole stream.
        step: scalar, may be traced.
        n_trials: trials in an epoch.
        size: trials in a batch. It need not divide `n_trials`: a batch may end one epoch and begin
            the next.

    Returns:
        (size,) int32 indices of trials.
    """
    # Whole epochs and the rest apart, so that `step * size` never overflows int32 in a long run.
    position = step % n_trials * size + jnp.arange(size)
    epoch = step // n_trials * size + position // n_trials
    keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, epoch)
    return shuffled(keys, position % n_trials, n_trials)


class Order:
    """The trials of each step, drawn on the host's processor for several steps at once.

    Drawing is a loop of unknown length. On a GPU each turn of it would wait for the host, and the
    training steps with it.
    """

    def __init__(self, key: jax.Array, n_trials: int, batch_size: int):
        self._key = jax.device_put(key, _host_processor())
        self._sizes = n_trials, batch_size
        self._steps = functools.lru_cache(maxsize=4)(self._draw)  # grain's threads share it

    def __call__(self, step: int) -> np.ndarray:
        """(batch,) int32 indices of trials."""
        start = step - step % _STEPS_AT_ONCE
        return self._steps(start)[step - start]

    def _draw(self, start: int) -> np.ndarray:
        steps = np.arange(start, start + _STEPS_AT_ONCE, dtype=np.int32)
        return np.asarray(_trials_of_steps(self._key, steps, *self._sizes))


def _host_processor() -> jax.Device | None:
    """JAX's name of it; None where JAX_PLATFORMS leaves it out."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return None


_trials_of_steps = jax.jit(
    jax.vmap(batch_trials, in_axes=(None, 0, None, None)), static_argnums=(2, 3)
)
