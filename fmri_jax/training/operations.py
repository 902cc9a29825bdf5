"""How long arithmetic takes here: operations of networks are counted, the device's speed measured.

Both are cheap, so that a run can say before its first fit about how long it will take. Networks are
traced and not compiled; on two CPU cores a step of the GAN reaches the speed of a matrix product.
"""

import functools
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

SIDE = 1024  # of the matrices that are multiplied to measure the speed: 2.1 GFLOP
REPEATS = 5


class Count(NamedTuple):
    """What one application of a network to one row takes.

    Attributes:
        operations: in floating point, a multiplication and an addition being two.
        parameters: numbers that it learns.
    """

    operations: float
    parameters: int


@functools.cache
def of_network(network: Any, shape: tuple[int, ...], *others: Any) -> Count:
    """Counts a Flax module's operations and parameters, as XLA does before it compiles.

    Args:
        network: the module.
        shape: of one row of what it is given, float32.
        *others: further arguments of its call.
    """
    row = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    variables = jax.eval_shape(lambda key, row: network.init(key, row, *others), key, row)
    lowered = jax.jit(lambda variables, row: network.apply(variables, row, *others)).lower(
        variables, row
    )
    found = lowered.cost_analysis() or {}
    parameters = sum(leaf.size for leaf in jax.tree.leaves(variables))
    return Count(float(found.get("flops", 0.0)), parameters)


@functools.cache
def per_second() -> float:
    """Operations per second of a matrix product on the first device, with what else it does now."""
    multiply = jax.jit(lambda a: a @ a)
    matrix = jnp.ones((SIDE, SIDE), jnp.float32)
    multiply(matrix).block_until_ready()  # compiled
    began = time.perf_counter()
    for _ in range(REPEATS):
        multiply(matrix).block_until_ready()
    return REPEATS * 2 * SIDE**3 / (time.perf_counter() - began)
