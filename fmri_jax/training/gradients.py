"""How large a gradient is."""

from typing import Any

import jax
import jax.numpy as jnp


def gradient_norm(gradients: Any) -> jax.Array:
    """Euclidean norm over all leaves of a tree of arrays, as `optax.global_norm` has it.

    Summed along the last axis first, and the barrier keeps XLA from making one sum of the two: it
    cuts a sum over both axes of a matrix into windows of 32 x 32, and pads a copy of the matrix to
    a multiple of that. At 227 px, with 11,726 voxels, the norm took 0.3 of 2.8 seconds of a step
    on CPU (2 cores), and 512 MiB that were mapped anew in each.
    """

    def square(leaf: jax.Array) -> jax.Array:
        rows = jnp.sum(jnp.square(jnp.atleast_1d(leaf)), axis=-1)
        return jnp.sum(jax.lax.optimization_barrier(rows))

    return jnp.sqrt(jnp.asarray([square(leaf) for leaf in jax.tree.leaves(gradients)]).sum())
