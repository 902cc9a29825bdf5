"""Halving and doubling of images between the levels of networks, and squares of pixels as one."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

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
    """Squares of pixels as one: (n, side h, side w, c) -> (n, h, w, side * side * c).

    Each square is given by its cosine transform (`_cosines`), fine waves enlarged to about the size
    of coarse ones in photographs: otherwise a network learns the mean colour of a square long
    before what is in it.
    """
    n, height, width, c = x_BHWC.shape
    x = x_BHWC.reshape(n, height // side, side, width // side, side, c)
    x = jnp.einsum("nhywxc,uyvx->nhwuvc", x, _cosines(side) * _sizes(side)[:, None, :, None])
    return x.reshape(n, height // side, width // side, -1)


def spread_squares(x_BHWC: jax.Array, side: int) -> jax.Array:
    """The inverse of `gather_squares`."""
    n, height, width, _ = x_BHWC.shape
    x = x_BHWC.reshape(n, height, width, side, side, -1)
    x = jnp.einsum("nhwuvc,uyvx->nhywxc", x, _cosines(side) / _sizes(side)[:, None, :, None])
    return x.reshape(n, height * side, width * side, -1)


def _cosines(side: int) -> np.ndarray:
    """(u, y, v, x) weight of pixel (y, x) in wave (u, v): orthonormal, DCT-II."""
    wave = scipy.fft.dct(np.eye(side), axis=0, norm="ortho")
    return np.einsum("uy,vx->uyvx", wave, wave).astype(np.float32)


def _sizes(side: int) -> np.ndarray:
    """(u, v) factor of each wave: amplitudes in photographs fall with frequency."""
    u = np.arange(side)
    return ((1 + u[:, None] + u) / side).astype(np.float32)


def coarse_waves(side: int, n: int, colours: int = 3) -> np.ndarray:
    """(side * side * colours, n) the coarsest waves of squares, each of a single colour.

    A square as `gather_squares` gives it, times this matrix, is the n numbers that tell most of a
    photograph: luminance, the difference of red and blue, slopes of luminance, and so on. The
    matrix's transpose, and `spread_squares`, make the square of them.
    """
    if colours == 3:  # luminance, red against blue, both against green
        colour = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    else:
        colour = np.eye(colours)
    u, v, c = (axis.ravel() for axis in np.indices((side, side, colours)))
    # Colours vary less than luminance, and on a coarser scale.
    fineness = np.where(c == 0, u + v, 3 * (u + v) + c - 0.5)
    found = np.zeros((side, side, colours, n), np.float32)
    for i, wave in enumerate(np.argsort(fineness, kind="stable")[:n]):
        found[u[wave], v[wave], :, i] = colour[c[wave]]
    return found.reshape(-1, n)


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
