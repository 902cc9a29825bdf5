"""Max-pooling whose forward and backward pass are element-wise, for CPU and GPU.

XLA's CPU backend runs `reduce_window` and its gradient, `select_and_scatter`, element by element
on one thread. Here the maximum is that of the K x K shifted, strided images, and the gradient a
gather: each pixel asks the few windows that may hold it whether it was their maximum. At 56 px, 64
channels, batch 32 forward and backward take 8 ms of CPU time together, against 87 ms for XLA's own
and 63 ms for PyTorch. (To put the pixels of each place in a block together and interleave these
took five times as long where the image's side is odd, as the interleaved rows have to be cut.) On a
GPU a step at 227 px, batch 64, takes 6.5 ms instead of 6.7.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def max_pool(x_BHWC: jax.Array, size: int, stride: int) -> jax.Array:
    """The maximum of each size x size window, without padding; windows past the edge are dropped.

    Args:
        x_BHWC: images (batch, height, width, channels).
        size: side of the window in pixels.
        stride: step between windows in pixels.

    Returns:
        (batch, h, w, channels) with h = (height - size) // stride + 1. Where several pixels of a
        window are equal, the first one in reading order gets the gradient, as in PyTorch.
    """
    return functools.reduce(jnp.maximum, _offsets(x_BHWC, size, stride))


def _offsets(x: jax.Array, size: int, stride: int) -> list[jax.Array]:
    """For each offset in the window, in reading order, that pixel of every window."""
    batch, height, width, channels = x.shape
    h, w = (height - size) // stride + 1, (width - size) // stride + 1
    bottom, right = stride * (h - 1) + 1, stride * (w - 1) + 1
    return [
        lax.slice(x, (0, i, j, 0), (batch, i + bottom, j + right, channels), (1, stride, stride, 1))
        for i in range(size)
        for j in range(size)
    ]


def _forward(x: jax.Array, size: int, stride: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """Keeps the winning offset of each window instead of the image."""
    first, *others = _offsets(x, size, stride)
    best, winner = first, jnp.zeros(first.shape, jnp.int8 if size * size < 128 else jnp.int16)
    for offset, pixel in enumerate(others, start=1):
        better = pixel > best
        best = jnp.where(better, pixel, best)
        winner = jnp.where(better, winner.dtype.type(offset), winner)
    return best, (winner, jnp.empty((0, *x.shape[1:3])))  # the second one carries the shape only


def _backward(
    size: int, stride: int, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array]:
    winner, shape_only = saved
    height, width = shape_only.shape[1:]
    h, w = gradient.shape[1:3]
    total = jnp.zeros((len(gradient), height, width, gradient.shape[3]), gradient.dtype)
    for up, left in itertools.product(range(-(-size // stride)), repeat=2):
        row, i = _window(height, h, size, stride, up)
        column, j = _window(width, w, size, stride, left)
        inside = (i >= 0)[:, None] & (j >= 0)
        offset = np.where(inside, i[:, None] * size + j, -1).astype(winner.dtype)[..., None]
        won = winner[:, row][:, :, column] == offset
        total += jnp.where(won, gradient[:, row][:, :, column], 0)
    return (total,)


def _window(
    pixels: int, windows: int, size: int, stride: int, before: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel along one axis the last window that begins at or before it, less `before`.

    Returns:
        (the window, where the pixel is in it, or -1 if there is no such window or it ends earlier).
    """
    pixel = np.arange(pixels)
    window = pixel // stride - before
    offset = pixel - stride * window
    inside = (window >= 0) & (window < windows) & (offset < size)
    return np.clip(window, 0, windows - 1), np.where(inside, offset, -1)


max_pool.defvjp(_forward, _backward)
