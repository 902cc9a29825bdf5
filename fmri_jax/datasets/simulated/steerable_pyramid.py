"""What early visual cortex takes from an image: Gabor energy, luminance and opponent colours.

The energy model of a complex cell is the magnitude of a quadrature pair of Gabor filters (Adelson &
Bergen 1985, JOSA A 2:284-299); Kay, Naselaris, Prenger & Gallant (2008, Identifying natural images
from human brain activity, Nature 452:352-355) predict voxels of V1-V3 by a pyramid of them. Each
level of the pyramid here halves the image of the level before and filters it with the same four
Gabors. A Gabor filter with a round envelope is separable: it is one complex matrix product along
the rows of an image and one along its columns, for a whole batch at a time.

Energy cannot tell black from white. Signed channels can: contrast of luminance, red against green
and blue against yellow (Derrington, Krauskopf & Lennie 1984, Journal of Physiology 357:241-265),
here on the display's own values, without linearising them.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import einsum, resize
from fmri_jax.datasets.simulated.areas import FIELD

PIXELS = 64  # side of the image that the pyramid sees, whatever the size of the recorded one
CELLS = PIXELS // 2  # side of the grid of the finest level and of the signed channels
LEVELS = 4  # each level down halves image and grid
ORIENTATIONS = tuple(np.deg2rad((0.0, 45.0, 90.0, 135.0)))  # across the bars of the grating
WAVE = 3 / 8  # cycles per pixel of a level's image
FREQUENCIES = tuple(WAVE * PIXELS / FIELD / 2**level for level in range(LEVELS))  # cycles / deg
# Deviation of a Gabor's envelope, in pixels: one octave's bandwidth at half height.
ENVELOPE = np.sqrt(np.log(2) / 2) / np.pi * 3 / WAVE


@functools.cache
def gabor_factors(pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """The filters along rows and along columns, for images of one level.

    Args:
        pixels: side of the level's image.

    Returns:
        Two arrays (orientations, 2, pixels / 2, pixels) float32; the second axis holds the real
        (even) and imaginary (odd) part. The filters' magnitude at a grating of their own frequency
        and orientation is its amplitude.
    """
    distance = np.arange(pixels) + 0.5 - 2 * (np.arange(pixels // 2)[:, None] + 0.5)
    envelope = np.exp(-0.5 * (distance / ENVELOPE) ** 2) / (ENVELOPE * np.sqrt(2 * np.pi))

    def factors(cycles: float, scale: float) -> np.ndarray:
        carrier = 2 * np.pi * cycles * distance
        return scale * np.stack([envelope * np.cos(carrier), envelope * np.sin(carrier)])

    across = [factors(WAVE * np.cos(angle), 2.0) for angle in ORIENTATIONS]
    down = [factors(WAVE * np.sin(angle), 1.0) for angle in ORIENTATIONS]
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def gabor_energy(luminance: jax.Array, across: jax.Array, down: jax.Array) -> jax.Array:
    """Local energy in each orientation, at one level.

    Args:
        luminance: (n, pixels, pixels), contrast around 0.
        across: first result of `gabor_factors`.
        down: second result of `gabor_factors`.

    Returns:
        (n, orientations, pixels / 2, pixels / 2), the magnitude of a quadrature pair.
    """
    rows = einsum("nyx,okpx->nokyp", luminance, across)
    # Real and imaginary parts of (row + i row') (column + i column').
    parts = einsum("nokyp,ojqy->nokjqp", rows, down)
    even = parts[:, :, 0, 0] - parts[:, :, 1, 1]
    odd = parts[:, :, 0, 1] + parts[:, :, 1, 0]
    return jnp.sqrt(even**2 + odd**2)


def halved(images: jax.Array) -> jax.Array:
    """The next level's images: each pixel the mean of four, (n, h, w) to (n, h / 2, w / 2)."""
    n, height, width = images.shape
    return images.reshape(n, height // 2, 2, width // 2, 2).mean((2, 4))


@functools.cache
def interpolation(cells: int) -> np.ndarray:
    """Linear interpolation from a level's grid to the finest one.

    Args:
        cells: side of the level's grid.

    Returns:
        (CELLS * CELLS, cells * cells) float32; beyond the outermost centres the edge is repeated.
    """
    fine = (np.arange(CELLS) + 0.5) * cells / CELLS - 0.5
    line = np.stack([np.interp(fine, np.arange(cells), one) for one in np.eye(cells)], axis=1)
    return np.kron(line, line).astype(np.float32)


def signed_contrasts(images: jax.Array) -> jax.Array:
    """Luminance, red-green and blue-yellow contrast, each cell the mean of its pixels.

    Args:
        images: (n, PIXELS, PIXELS, 3) RGB in [0, 1].

    Returns:
        (n, 3, CELLS, CELLS), within [-1, 1]; mid-grey is 0 in all three.
    """
    factor = PIXELS // CELLS
    cells = images.reshape(-1, CELLS, factor, CELLS, factor, 3).mean((2, 4))
    red, green, blue = jnp.moveaxis(cells, -1, 0)
    luminance = 2 * (red + green + blue) / 3 - 1
    return jnp.stack([luminance, red - green, blue - (red + green) / 2], axis=1)


def as_seen(images: jax.Array) -> jax.Array:
    """Images (n, h, w, 3) uint8 as (n, PIXELS, PIXELS, 3) float32 in [0, 1]."""
    scaled = images.astype(jnp.float32) / 255
    return resize(scaled, PIXELS, PIXELS, antialias=True)
