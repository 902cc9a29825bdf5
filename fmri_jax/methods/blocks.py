"""Reconstructing trials in blocks of one shape."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

BLOCK = 64  # trials at once: bounds memory, and compiles one program


def in_blocks(function: Callable[[jax.Array], jax.Array], fmri: jax.Array) -> jax.Array:
    """Applies `function` to blocks of trials, the last one filled up with zeros.

    XLA may sum in another order for another number of rows. With blocks of one shape, the same
    trials give the same bits whatever follows them.

    Args:
        function: (BLOCK, voxels) -> (BLOCK, ...), row by row.
        fmri: (n, voxels), n above 0.

    Returns:
        (n, ...).
    """
    n, voxels = fmri.shape
    padded = jnp.pad(jnp.asarray(fmri), ((0, -n % BLOCK), (0, 0)))
    return jnp.concatenate([function(b) for b in padded.reshape(-1, BLOCK, voxels)])[:n]
