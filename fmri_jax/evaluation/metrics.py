"""Metrics of one reconstruction against its own target: one value per image.

All functions are pure and jitted, take images in [0, 1] of shape (n, height, width, channels) and
return (n,). Matrix products ask for full float32, so that a GPU gives what a CPU gives.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import einsum

# Wang et al. 2004: a Gaussian of standard deviation 1.5 pixels over 11 pixels.
SSIM_SIGMA = 1.5
SSIM_WINDOW = 11
# Spread of a row, relative to its largest value, below which float32 cannot tell it from constant.
CONSTANT = 1e-6


@jax.jit
def pixel_correlation(targets: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """Pearson correlation of each reconstruction with its target, over all pixels and channels.

    The correlation with a constant image is undefined; here it is 0.

    Args:
        targets: (n, height, width, channels).
        reconstructions: the same shape.

    Returns:
        (n,) in [-1, 1].
    """
    n = targets.shape[0]
    rows = unit_rows(targets.reshape(n, -1)) * unit_rows(reconstructions.reshape(n, -1))
    return jnp.sum(rows, axis=1)


def unit_rows(rows: jax.Array | np.ndarray) -> jax.Array:
    """Centres each row and scales it to length 1, so that inner products are correlations.

    A constant row becomes zeros, so that its correlation with anything is 0.

    Args:
        rows: (n, features).

    Returns:
        (n, features).
    """
    centred = rows - jnp.mean(rows, axis=1, keepdims=True)
    spread = jnp.max(rows, axis=1) - jnp.min(rows, axis=1)
    varies = (spread > CONSTANT * jnp.max(jnp.abs(rows), axis=1))[:, None]
    # The inner `where` keeps the division finite (and differentiable) where the row is constant.
    length = jnp.sqrt(jnp.sum(jnp.where(varies, centred, 1.0) ** 2, axis=1, keepdims=True))
    return jnp.where(varies, centred / length, 0.0)


@jax.jit
def mse(targets: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """Mean squared error over all pixels and channels, (n,), in units of the full range squared."""
    return jnp.mean((targets - reconstructions) ** 2, axis=(1, 2, 3))


@jax.jit
def detail_error(targets: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """Absolute log2 ratio of gradient energy, (n,): how far the amount of detail is off.

    The energy of an image is the mean squared difference of neighbouring pixels, along rows and
    columns alike. It asks how much detail there is, not whether it is at the right place: 0 for a
    image as crisp as the target, large for a blurred or a noisy one. Pixel errors, by contrast,
    reward blur.
    """
    noise = (1 / 255) ** 2 / 12  # of rounding to 8 bits: keeps uniform images finite

    def energy(images: jax.Array) -> jax.Array:
        steps = (jnp.diff(images, axis=axis) for axis in (1, 2) if images.shape[axis] > 1)
        floor = jnp.full(images.shape[0], 2 * noise, images.dtype)
        return sum((jnp.mean(step**2, axis=(1, 2, 3)) for step in steps), floor)

    return jnp.abs(jnp.log2(energy(reconstructions) / energy(targets)))


@jax.jit
def ssim(targets: jax.Array, reconstructions: jax.Array) -> jax.Array:
    """Structural similarity: per channel, then averaged over channels and positions.

    With local means m, variances v and covariance c under the Gaussian window (population
    statistics, data range 1, C1 = 0.01^2, C2 = 0.03^2):

        SSIM = (2 m_x m_y + C1) (2 c_xy + C2) / ((m_x^2 + m_y^2 + C1) (v_x + v_y + C2))

    Equal to scikit-image's `structural_similarity(channel_axis=-1, gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False, data_range=1, win_size=w)`, where w is 11, or the
    largest odd number that fits into a smaller image: 9 at 10 x 10. Positions nearer than w // 2 to
    the border do not count; where the 11 taps reach out of a small image, it is mirrored.

    Args:
        targets: (n, height, width, channels).
        reconstructions: the same shape.

    Returns:
        (n,) in [-1, 1]; 1 for equal images.

    References:
        Wang, Bovik, Sheikh & Simoncelli (2004), IEEE Trans. Image Process. 13:600, equation 13.
    """
    height, width = targets.shape[1:3]
    window = min(SSIM_WINDOW, _largest_odd(min(height, width)))
    filter_rows = jnp.asarray(_gaussian_matrix(height, window), targets.dtype)
    filter_columns = jnp.asarray(_gaussian_matrix(width, window), targets.dtype)

    def local_mean(x_NHWC: jax.Array) -> jax.Array:
        return einsum("ih,nhwc,jw->nijc", filter_rows, x_NHWC, filter_columns)

    return similarity(targets, reconstructions, local_mean)


def similarity(
    x: jax.Array, y: jax.Array, local_mean: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    """SSIM with the windows that `local_mean` averages over, (n, ...) -> (n,); see `ssim`."""
    mean_x, mean_y = local_mean(x), local_mean(y)
    var_x = local_mean(x * x) - mean_x**2
    var_y = local_mean(y * y) - mean_y**2
    cov = local_mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similar = ((2 * mean_x * mean_y + c1) * (2 * cov + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    return jnp.mean(similar, axis=tuple(range(1, similar.ndim)))


def gaussian_filter(length: int, dtype: Any) -> jax.Array:
    """SSIM's window along an axis of at least 11 pixels: a matrix (length - 10, length)."""
    return jnp.asarray(_gaussian_matrix(length, SSIM_WINDOW), dtype)


def _largest_odd(number: int) -> int:
    return number - 1 + number % 2


@functools.cache
def _gaussian_matrix(length: int, window: int) -> np.ndarray:
    """The Gaussian filter along one axis as a matrix (positions that count, length).

    Taps, mirrored border and crop in one: filtering becomes a matrix product, which XLA runs fast
    on every platform, unlike a depthwise convolution.
    """
    radius = SSIM_WINDOW // 2
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / SSIM_SIGMA) ** 2)
    taps /= taps.sum()
    # Pixel numbers of the mirrored image, as in scipy.ndimage's mode "reflect".
    mirrored = np.pad(np.arange(length), radius, mode="symmetric")
    crop = window // 2
    matrix = np.zeros((length - 2 * crop, length))
    for row in range(len(matrix)):
        np.add.at(matrix[row], mirrored[row + crop : row + crop + SSIM_WINDOW], taps)
    return matrix
