"""Group normalisation, its statistics in float32 and in the order that suits channels-last."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class GroupNorm(nn.Module):
    """Each image's groups of channels with mean 0 and variance 1, then a scale and a bias each.

    Sums run over positions first, channel by channel, and only then over a group's channels: that
    way XLA vectorises them. The result is x * a + b with one a and b per image and channel, which
    fuses with the activation that follows.

    Attributes:
        groups: into which neighbouring channels are divided.
        epsilon: added to the variance.
        dtype: of the result; statistics are float32.

    References:
        Wu & He (2018), "Group normalization", ECCV, equations 1, 2 and 7.
    """

    groups: int
    epsilon: float
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, ..., c) -> the same shape."""
        channels = x_BHWC.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        x = x_BHWC.astype(jnp.float32)
        axes = tuple(range(1, x.ndim - 1))

        def over_groups(y: jax.Array) -> jax.Array:
            """Means over positions and each group's channels: (n, 1, ..., c)."""
            means = y.mean(axis=axes).reshape(len(y), self.groups, -1).mean(axis=-1)
            of_channels = jnp.repeat(means, channels // self.groups, axis=-1)
            return of_channels.reshape(len(y), *(1,) * len(axes), channels)

        mean = over_groups(x)
        scale = scale * jax.lax.rsqrt(over_groups(jnp.square(x - mean)) + self.epsilon)
        return (x * scale + (bias - mean * scale)).astype(self.dtype or x_BHWC.dtype)
