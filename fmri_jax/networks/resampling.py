"""Halving and doubling of images between the levels of networks, and squares of pixels as one."""

import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks.modules import Conv


def halved(conv: Conv, x_BHWC: jax.Array) -> jax.Array:
    """A 3 x 3 convolution of stride 2, padded on the right and below only.

    Args:
        conv: of stride 2, without padding of its own.
        x_BHWC: images of even sides.
    """
    return conv(jnp.pad(x_BHWC, ((0, 0), (0, 1), (0, 1), (0, 0))))


def doubled(x_BHWC: jax.Array) -> jax.Array:
    """Each pixel as 2 x 2 of them."""
    return x_BHWC.repeat(2, axis=1).repeat(2, axis=2)


def gather_squares(x_BHWC: jax.Array, side: int) -> jax.Array:
    """Squares of pixels as one: (n, side h, side w, c) -> (n, h, w, side * side * c)."""
    n, height, width, c = x_BHWC.shape
    x = x_BHWC.reshape(n, height // side, side, width // side, side, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // side, width // side, -1)


def spread_squares(x_BHWC: jax.Array, side: int) -> jax.Array:
    """The inverse of `_gather_squares`."""
    n, height, width, _ = x_BHWC.shape
    x = x_BHWC.reshape(n, height, width, side, side, -1).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, height * side, width * side, -1)


def check_sides(what: str, shape: tuple[int, ...], channels: int, divisor: int) -> None:
    """Rejects images that cannot be halved as often as a network does.

    Raises:
        InputError: they are no (n, h, w, channels) with sides divisible by `divisor`.
    """
    if len(shape) != 4 or shape[3] != channels or any(side % divisor for side in shape[1:3]):
        raise InputError(
            f"{what} have shape {shape}: expected (n, h, w, {channels}) with sides divisible by "
            f"{divisor}."
        )
