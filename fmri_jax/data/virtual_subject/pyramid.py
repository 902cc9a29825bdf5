"""What early visual cortex takes from an image: Gabor energy, luminance and opponent colours.

The energy model of a complex cell is the magnitude of a quadrature pair of Gabor filters (Adelson &
Bergen 1985, JOSA A 2:284-299); Kay, Naselaris, Prenger & Gallant (2008, Identifying natural images
from human brain activity, Nature 452:352-355) predict voxels of V1-V3 by a pyramid of them. A Gabor
filter with a round envelope is separable: it is one complex matrix product along the rows of an
image and one along its columns, which is how the pyramid is computed here, for a batch at a time.

Energy cannot tell black from white. Signed channels can: contrast of luminance, red against green
and blue against yellow (Derrington, Krauskopf & Lennie 1984, Journal of Physiology 357:241-265),
here on the display's own values, without linearising them.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.virtual_subject.areas import FIELD

PIXELS = 64  # side of the image that the pyramid sees, whatever the size of the recorded one
CELLS = 32  # side of the grid on which its channels are sampled
FREQUENCIES = (0.25, 0.5, 1.0, 2.0)  # cycles per degree
ORIENTATIONS = tuple(np.deg2rad((0.0, 45.0, 90.0, 135.0)))  # of the grating's axis
BANDS = tuple((f, o) for f in FREQUENCIES for o in ORIENTATIONS)
# Envelope of a Gabor filter of one octave's bandwidth, in periods of its grating.
ENVELOPE = np.sqrt(np.log(2) / 2) / np.pi * 3


@functools.cache
def gabor_factors() -> tuple[np.ndarray, np.ndarray]:
    """The filters along rows and along columns.

    Returns:
        Two arrays (bands, 2, CELLS, PIXELS) float32; the second axis holds the real (even) and
        imaginary (odd) part. A grating of the band's own frequency and orientation with amplitude a
        has energy a * frequency: amplitudes of natural images fall as 1 / frequency (Field 1987,
        JOSA A 4:2379-2394), so this puts all bands on one scale.
    """
    pixels = (np.arange(PIXELS) + 0.5) * FIELD / PIXELS
    cells = (np.arange(CELLS) + 0.5) * FIELD / CELLS
    distance = pixels - cells[:, None]
    across: list[np.ndarray] = []
    down: list[np.ndarray] = []
    for frequency, orientation in BANDS:
        envelope = np.exp(-0.5 * (distance * frequency / ENVELOPE) ** 2)
        envelope *= FIELD / PIXELS * frequency / (ENVELOPE * np.sqrt(2 * np.pi))
        for factors, wave in ((across, np.cos(orientation)), (down, np.sin(orientation))):
            carrier = 2 * np.pi * frequency * wave * distance
            factors.append(np.stack([envelope * np.cos(carrier), envelope * np.sin(carrier)]))
    scale = 2 * np.asarray([frequency for frequency, _ in BANDS])[:, None, None, None]
    return np.asarray(scale * across, np.float32), np.asarray(down, np.float32)


def gabor_energy(luminance: jax.Array, across: jax.Array, down: jax.Array) -> jax.Array:
    """Local energy in each band of frequency and orientation.

    Args:
        luminance: (n, PIXELS, PIXELS), contrast around 0.
        across: first result of `gabor_factors`.
        down: second result of `gabor_factors`.

    Returns:
        (n, bands, CELLS, CELLS), the magnitude of a quadrature pair.
    """
    rows = jnp.einsum("nyx,bkpx->nbkyp", luminance, across, precision="highest")
    # Real and imaginary parts of (row + i row') (column + i column').
    parts = jnp.einsum("nbkyp,bjqy->nbkjqp", rows, down, precision="highest")
    even = parts[:, :, 0, 0] - parts[:, :, 1, 1]
    odd = parts[:, :, 0, 1] + parts[:, :, 1, 0]
    return jnp.sqrt(even**2 + odd**2)


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
    shape = (len(images), PIXELS, PIXELS, 3)
    return scaled if scaled.shape == shape else jax.image.resize(scaled, shape, "linear")
