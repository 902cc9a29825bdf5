"""XLA's own layers, with JAX's own gradients: what the forms for CPU and GPU must equal."""

import flax.linen as nn
import jax
from jax import lax

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def conv(x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int) -> jax.Array:
    """As `dispatch.conv`."""
    return lax.conv_general_dilated(
        x_BHWC,
        kernel_KKCO,
        (stride, stride),
        ((padding, padding),) * 2,
        dimension_numbers=DIMENSIONS,
    )


def conv_transpose(
    x_BHWC: jax.Array, kernel_KKCO: jax.Array, stride: int, padding: int
) -> jax.Array:
    """As `dispatch.conv_transpose`."""
    margin = len(kernel_KKCO) - 1 - padding
    return lax.conv_transpose(
        x_BHWC,
        kernel_KKCO,
        (stride, stride),
        ((margin, margin),) * 2,
        dimension_numbers=DIMENSIONS,
    )


def max_pool(x_BHWC: jax.Array, size: int, stride: int) -> jax.Array:
    """As `dispatch.max_pool`."""
    return nn.max_pool(x_BHWC, (size, size), (stride, stride))
