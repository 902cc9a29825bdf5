"""What a training step would compute anew each time from weights that never change, for CPU.

The input gradient of a convolution of stride 1 is a convolution by the turned kernel: rows and
columns in reverse order, channels in and out exchanged. XLA turns kernels in every step; those of
AlexNet's layers of 3 x 3, 2.1 M weights, take 2.4 of 101 ms at 64 px. Turned before training they
are arguments of the step, and it takes 4 ms less, as `toom_cook` then pays on the smallest images,
too.

Shape suffixes: C channels in, O channels out, K kernel size.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def with_turned_kernels(params: Any) -> Any:
    """The parameters of a network of `modules.Conv`, each kernel with its turned one beside it.

    Args:
        params: layer -> its arrays; `kernel` is (K, K, C, O).

    Returns:
        The same with `turned` (K, K, O, C) in each layer, where JAX's default backend is the CPU;
        elsewhere, where the library turns kernels by itself, `params`.
    """
    if jax.default_backend() != "cpu":
        return params
    return {name: layer | {"turned": turned(layer["kernel"])} for name, layer in params.items()}


def turned(kernel_KKCO: jax.Array) -> jax.Array:
    """(K, K, C, O) -> (K, K, O, C), by which gradients at the output are convolved."""
    return jnp.swapaxes(lax.rev(kernel_KKCO, (0, 1)), 2, 3)
