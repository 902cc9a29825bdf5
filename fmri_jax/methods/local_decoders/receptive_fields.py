"""Decoding by inverting an encoding model: which image explains the voxels best?

The decoders of `linear/` regress contrast on voxels. With few training images they learn also which
pixels go together in those images, and repeat that for an image that was never shown. Here the
model runs the other way, as the brain does: each voxel sums the contrast in its receptive field
(Dumoulin & Wandell 2008), and Bayes' rule turns that round (inverse retinotopy: Thirion et al.
2006; linear Gaussian decoding: Schoenmakers et al. 2013).

    voxels = mean + W (image - mean image) + noise,   noise ~ N(0, S),   image ~ N(mean image, P)
    decoded image = mean image + P' W^T S^-1 (voxels - mean),   P' = (W^T S^-1 W + P^-1)^-1

which is linear in the voxels, so that it fits among the other decoders: a `LinearModel`.

References:
    Dumoulin & Wandell (2008), NeuroImage 39:647, population receptive fields.
    Thirion et al. (2006), NeuroImage 33:1104, inverse retinotopy.
    Schoenmakers, Barth, Heskes & van Gerven (2013), NeuroImage 83:951, equations 3 to 8.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.linear import LinearModel
from fmri_jax.methods.local_decoders.bases import Basis, basis, sizes_of

WIDTHS = (0.5, 0.8, 1.2, 1.8, 2.7)  # standard deviations of the receptive fields, pixels
LARGEST = 1024  # pixels x channels: the model holds matrices of pixels x pixels
JITTER = 1e-3  # share of the prior's variance on its diagonal: keeps it invertible in float32
ROWS = 32  # unused trials fill up to a multiple of this, so that folds share compiled programs
DAMPING = 0.02  # of a field's slope, in units of the strongest drive of any field

_matmul = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


class Settings(NamedTuple):
    """Strengths of what the model assumes; numbers, so that trying others compiles nothing.

    Attributes:
        alpha: ridge penalty on what a voxel's weights hold beyond its Gaussian receptive field.
        sharpness: power of the likelihood that weighs the candidate fields of a voxel; below 1
            because trials that repeat an image count as less than one observation each.
        noise_diagonal: share of the noise covariance that is each voxel's own.
        prior_variance: of a pixel around the mean image.
    """

    alpha: Any = 300.0
    sharpness: Any = 0.5
    noise_diagonal: Any = 0.95
    prior_variance: Any = 0.2


class Geometry(NamedTuple):
    """What depends on the image size alone.

    Attributes:
        fields: (fields, pixels) candidate receptive fields of norm 1.
        precision: (pixels, pixels) inverse of the prior covariance at unit variance.
    """

    fields: jax.Array
    precision: jax.Array


@functools.lru_cache(maxsize=8)
def geometry(height: int, width: int, channels: int, prior_scale: int) -> Geometry:
    """Receptive fields and prior for images of one size.

    The prior says that an image is a sum of local elements of the basis s = prior_scale, each with
    a contrast of its own: their outer products add up to the covariance.

    Raises:
        InputError: the images are too large for a model that holds pixels x pixels matrices.
    """
    if height * width * channels > LARGEST:
        raise InputError(
            f"decoder='receptive_fields' on images of {height} x {width} x {channels} values: "
            f"expected at most {LARGEST}; prepare smaller images (config.preparation.image_size)."
        )
    fields = _gaussians(height, width)
    covariance = _prior(basis(sizes_of(prior_scale), height, width))
    own_channel = np.eye(channels)
    precision = np.linalg.inv(np.kron(covariance, own_channel))
    return Geometry(
        jnp.asarray(np.kron(fields, own_channel), jnp.float32), jnp.asarray(precision, jnp.float32)
    )


def fit_receptive_fields(
    fmri: Any, images: Any, geometry: Geometry, settings: Settings, used: Any = None
) -> LinearModel:
    """Fits the encoding model and inverts it.

    Args:
        fmri: (n, voxels).
        images: (n, pixels x channels) in [0, 1].
        geometry: for this image size.
        settings: strengths of the assumptions, four numbers.
        used: (n,) bool, the trials to learn from; None for all.

    Returns:
        `coef` (voxels, pixels x channels) and `intercept`: the posterior mean of the image.
    """
    grid = Settings(*(np.asarray([value], np.float32) for value in settings))
    models = fit_grid(fmri, images, geometry, grid, used)
    return LinearModel(models.coef[0, 0, 0, 0], models.intercept[0, 0, 0, 0])


def fit_grid(
    fmri: Any, images: Any, geometry: Geometry, grid: Settings, used: Any = None
) -> LinearModel:
    """`fit_receptive_fields` for every combination of settings, which share all that they can.

    Args:
        fmri: (n, voxels).
        images: (n, pixels x channels).
        geometry: for this image size.
        grid: the values of each setting, 1-d arrays.
        used: (n,) bool, the trials to learn from; None for all.

    Returns:
        `coef` and `intercept` with four leading axes, one a setting in the order of `Settings`.
    """
    used = np.ones(len(fmri), bool) if used is None else used
    filled = -len(fmri) % ROWS
    values = Settings(*(jnp.asarray(value, jnp.float32) for value in grid))
    return _fit_grid(
        np.pad(fmri, ((0, filled), (0, 0))),
        np.pad(images, ((0, filled), (0, 0))),
        np.pad(used, (0, filled)),
        geometry,
        values,
    )


@jax.jit
def _fit_grid(fmri, images, used, geometry: Geometry, grid: Settings) -> LinearModel:
    count = jnp.sum(used)
    voxels, mean, scale = _standardised(fmri, used, count)
    average = jnp.sum(jnp.where(used[:, None], images, 0), axis=0) / count
    contrast = jnp.where(used[:, None], images - average, 0)
    tuned = _tune(voxels, contrast, count, geometry.fields)

    def encode(alpha, sharpness):
        weights = _encode(voxels, contrast, tuned, geometry.fields, alpha, sharpness)
        residual = voxels - _matmul(contrast, weights)
        return jax.vmap(lambda diagonal: whiten(weights, residual, diagonal))(grid.noise_diagonal)

    def whiten(weights, residual, diagonal):
        informative = _whiten(weights, residual, count, diagonal)  # W^T S^-1
        precision = _matmul(informative, weights.T)
        return jax.vmap(lambda variance: invert(informative, precision, variance))(
            grid.prior_variance
        )

    def invert(informative, precision, variance):
        factor = jax.scipy.linalg.cho_factor(precision + geometry.precision / variance)
        coef = jax.scipy.linalg.cho_solve(factor, informative).T / scale[:, None]
        return LinearModel(coef, average - _matmul(mean, coef))

    over_sharpness = jax.vmap(encode, in_axes=(None, 0))
    return jax.vmap(over_sharpness, in_axes=(0, None))(grid.alpha, grid.sharpness)


def _tune(voxels, contrast, count, fields) -> tuple[jax.Array, jax.Array]:
    """Fits every candidate field to every voxel: (fields, voxels) slopes and log likelihoods."""
    drive = _matmul(contrast, fields.T)  # (n, fields)
    energy = jnp.sum(jnp.square(drive), axis=0)
    products = _matmul(drive.T, voxels)
    slopes = products / (energy + DAMPING * jnp.max(energy))[:, None]
    error = count - slopes * (2 * products - slopes * energy[:, None])
    return slopes, -count / 2 * jnp.log(jnp.maximum(error, 1e-6 * count))


def _encode(voxels, contrast, tuned, fields, alpha, sharpness) -> jax.Array:
    """(pixels, voxels): what each voxel's response weighs each pixel with.

    The candidate fields of a voxel are averaged by their likelihoods (Bayesian model averaging),
    because several explain a voxel equally well. What the average leaves is given to a ridge
    regression on all pixels.
    """
    slopes, likelihood = tuned
    local = _matmul(fields.T, jax.nn.softmax(sharpness * likelihood, axis=0) * slopes)
    left = voxels - _matmul(contrast, local)
    gram = _matmul(contrast, contrast.T) + alpha * jnp.eye(len(contrast))
    shared = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), contrast)
    return local + _matmul(shared.T, left)


def _whiten(weights, residual, count, diagonal) -> jax.Array:
    """W^T S^-1 for S = diagonal D + (1 - diagonal) R^T R / n, D the voxels' own noise variances.

    S has the size of voxels x voxels, but beside its diagonal only the rank of the trials: the
    Woodbury identity inverts a trials x trials matrix instead.
    """
    variance = jnp.sum(jnp.square(residual), axis=0) / count
    own = 1 / (diagonal * jnp.maximum(variance, 1e-6))
    shared = residual * jnp.sqrt((1 - diagonal) / count)
    scaled = weights * own
    factor = jax.scipy.linalg.cho_factor(jnp.eye(len(shared)) + _matmul(shared * own, shared.T))
    correction = jax.scipy.linalg.cho_solve(factor, _matmul(shared, scaled.T))
    return scaled - _matmul(correction.T, shared * own)


def _standardised(fmri, used, count) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Used trials as z-scores, others as zeros; a constant voxel becomes zero."""
    mean = jnp.sum(jnp.where(used[:, None], fmri, 0), axis=0) / count
    centred = jnp.where(used[:, None], fmri - mean, 0)
    deviation = jnp.sqrt(jnp.sum(jnp.square(centred), axis=0) / count)
    constant = deviation <= 1e-6 * jnp.abs(mean)
    scale = jnp.where(constant, 1, deviation)
    return jnp.where(constant, 0, centred / scale), mean, scale


def _gaussians(height: int, width: int) -> np.ndarray:
    """(fields, pixels): a Gaussian of each width at each pixel, scaled to norm 1."""
    rows, columns = np.mgrid[:height, :width].reshape(2, -1)
    distance = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    fields = np.concatenate([np.exp(-distance / (2 * sigma**2)) for sigma in WIDTHS])
    return fields / np.linalg.norm(fields, axis=1, keepdims=True)


def _prior(elements: Basis) -> np.ndarray:
    """(pixels, pixels) covariance of a sum of independent elements, its mean variance 1.

    1x1 elements have the weight of all larger scales together.
    """
    unit = elements.masks / np.sqrt(elements.masks.sum(axis=1, keepdims=True))
    larger = max(1, len(elements.sizes) - 1)
    weight = np.asarray([1 if size == (1, 1) else 1 / larger for size in elements.sizes])
    covariance = unit.T @ (weight[elements.scale][:, None] * unit)
    covariance /= np.mean(np.diag(covariance))
    return covariance + JITTER * np.eye(len(covariance))
