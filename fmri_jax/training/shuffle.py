"""A random order whose entries can be looked up one by one.

A batch of 64 trials needs 64 entries of an epoch's order, not all of it sorted. A Feistel network
is a bijection whatever its round function is, and four rounds of a pseudorandom function cannot be
told from a random permutation (Luby & Rackoff 1988, SIAM J. Comput. 17:373); the function here is
JAX's own generator. The network permutes a power of two, so an entry that falls outside of the
range is permuted again until it falls inside, which keeps the bijection (cycle walking: Black &
Rogaway 2002, CT-RSA).
"""

import jax
import jax.numpy as jnp

_ROUNDS = 4
_LEAST_HALF = 4  # bits: with fewer, four rounds reach some orders more often than others


def shuffled(key: jax.Array, position: jax.Array, n: int) -> jax.Array:
    """Which of n things stands at a position of a random order.

    Args:
        key: typed keys that broadcast with `position`, one an order.
        position: (k,) integers from 0 to n - 1, may be traced.
        n: how many things there are, below 2^30.

    Returns:
        (k,) int32, each from 0 to n - 1; over all positions of one order every thing once.
    """
    half = max(_LEAST_HALF, -(-(n - 1).bit_length() // 2))  # bits in a half of the domain
    lower = 2**half - 1
    keys = jnp.broadcast_to(key, position.shape)

    def mix(halves: tuple[jax.Array, jax.Array], turn: jax.Array) -> tuple:
        left, right = halves
        noise = jax.vmap(
            lambda key, r: jax.random.bits(jax.random.fold_in(key, r), dtype=jnp.uint32)
        )(keys, right * _ROUNDS + turn)
        return (right, left ^ (noise & lower)), None

    def walk(walking_and_value: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        walking, value = walking_and_value
        halves = (value >> half, value & lower)
        (left, right), _ = jax.lax.scan(mix, halves, jnp.arange(_ROUNDS, dtype=jnp.uint32))
        value = jnp.where(walking, (left << half) | right, value)
        return value >= n, value

    start = (jnp.ones(position.shape, bool), position.astype(jnp.uint32))
    _, value = jax.lax.while_loop(lambda state: state[0].any(), walk, start)
    return value.astype(jnp.int32)
