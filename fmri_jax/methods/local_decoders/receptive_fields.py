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
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul
from fmri_jax.errors import InputError
from fmri_jax.linear import LinearModel
from fmri_jax.linear.design import power_of_two
from fmri_jax.methods.local_decoders.bases import Basis, basis, sizes_of

WIDTHS = (0.5, 0.8, 1.2, 1.8, 2.7)  # standard deviations of the receptive fields, pixels
LARGEST = 1024  # pixels x channels: the model holds matrices of pixels x pixels
JITTER = 1e-3  # share of the prior's variance on its diagonal: keeps it invertible in float32
ROWS = 32  # unused trials fill up to a multiple, so that folds share compiled programs
SMALLEST = 1e-8  # what is smaller counts as zero: denormal numbers are slow, and add nothing
DAMPING = 0.02  # of a field's slope, in units of the strongest drive of any field


class Settings(NamedTuple):
    """Strengths of what the model assumes; arguments, so that trying others compiles nothing.

    Attributes:
        alpha: ridge penalty on what a voxel's weights hold beyond its Gaussian receptive field.
        sharpness: power of the likelihood that weighs the candidate fields of a voxel; below 1
            because trials that repeat an image count as less than one observation each.
        noise_diagonal: share of the noise covariance that is each voxel's own.
        prior_variance: of a pixel around the mean image.
    """

    alpha: float
    sharpness: float
    noise_diagonal: float
    prior_variance: float


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

    By the prior an image is a sum of elements of the basis s = prior_scale, each with a contrast of
    its own: their outer products add up to the covariance. Elements are cut to the image.

    Raises:
        InputError: the images are too large for a model that holds pixels x pixels matrices.
    """
    if height * width * channels > LARGEST:
        raise InputError(
            f"decoder='receptive_fields' on images of {height} x {width} x {channels} values: "
            f"expected at most {LARGEST}; prepare smaller images (config.preparation.image_size)."
        )
    fields = _gaussians(height, width)
    sizes = dict.fromkeys((min(h, height), min(w, width)) for h, w in sizes_of(prior_scale))
    covariance = _prior(basis(tuple(sizes), height, width))
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
        settings: strengths of the assumptions.
        used: (n,) bool, the trials to learn from; None for all.

    Returns:
        `coef` (voxels, pixels x channels) and `intercept`: the posterior mean of the image.
    """
    return fit_several(fmri, images, geometry, [settings], used)[0]


def fit_several(
    fmri: Any, images: Any, geometry: Geometry, settings: Sequence[Settings], used: Any = None
) -> list[LinearModel]:
    """`fit_receptive_fields` for several settings, which share all steps that they agree on.

    Each step is compiled once and called from here: XLA on CPU takes five times as long for the
    same products and factorisations in one program, whether batched or in a loop.
    """
    used = np.ones(len(fmri), bool) if used is None else used
    filled = (0, -len(fmri) % ROWS)
    rows = (np.pad(values, (filled, (0, 0))) for values in (fmri, images))
    known = _prepare(*rows, np.pad(used, filled), geometry.fields)
    encode = functools.cache(lambda a, s: _encode(known, geometry.fields, a, s))
    whiten = functools.cache(lambda a, s, d: _whiten(known, encode(a, s), d))
    return [
        _invert(known, *whiten(s.alpha, s.sharpness, s.noise_diagonal), geometry, s.prior_variance)
        for s in settings
    ]


class _Known(NamedTuple):
    """What does not depend on the settings.

    Attributes:
        voxels: (n, voxels) z-scores; unused trials are zeros, here and in `contrast`.
        mean, scale: (voxels,) of the used trials; scale is 1 for a constant voxel.
        contrast: (n, pixels) images minus their average.
        average: (pixels,).
        n_used: how many trials are used.
        slopes: (fields, voxels) of each voxel on the drive of each candidate field.
        likelihood: (fields, voxels) log likelihood of each candidate field.
    """

    voxels: jax.Array
    mean: jax.Array
    scale: jax.Array
    contrast: jax.Array
    average: jax.Array
    n_used: jax.Array
    slopes: jax.Array
    likelihood: jax.Array


@jax.jit
def _prepare(fmri: jax.Array, images: jax.Array, used: jax.Array, fields: jax.Array) -> _Known:
    """Standardises, and fits every candidate field to every voxel."""
    count = jnp.sum(used)
    voxels, mean, scale = _standardised(fmri, used, count)
    average = jnp.sum(jnp.where(used[:, None], images, 0), axis=0) / count
    # A pixel that never changes has a contrast of zero, not of its mean's rounding error.
    varies = jnp.any(used[:, None] & (images != images[jnp.argmax(used)]), axis=0)
    contrast = jnp.where(used[:, None] & varies, images - average, 0)
    drive = matmul(contrast, fields.T)  # (n, fields)
    energy = jnp.sum(jnp.square(drive), axis=0)
    products = matmul(drive.T, voxels)
    strongest = jnp.max(energy)
    slopes = products / (energy + jnp.where(strongest > 0, DAMPING * strongest, 1))[:, None]
    error = count - slopes * (2 * products - slopes * energy[:, None])
    likelihood = -count / 2 * jnp.log(jnp.maximum(error, 1e-6 * count))
    return _Known(voxels, mean, scale, contrast, average, count, slopes, likelihood)


@jax.jit
def _encode(known: _Known, fields: jax.Array, alpha: Any, sharpness: Any) -> jax.Array:
    """(pixels, voxels): what each voxel's response weighs each pixel with.

    Several candidate fields explain a voxel equally well: they are averaged by their likelihoods
    (Bayesian model averaging). A ridge regression on all pixels gets what the average leaves.
    """
    shares = jax.nn.softmax(sharpness * known.likelihood, axis=0)
    shares = jnp.where(shares > SMALLEST, shares, 0)
    local = matmul(fields.T, shares * known.slopes)
    left = known.voxels - matmul(known.contrast, local)
    gram = matmul(known.contrast, known.contrast.T) + alpha * jnp.eye(len(left))
    dual = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), known.contrast)
    return local + matmul(dual.T, left)


@jax.jit
def _whiten(known: _Known, weights: jax.Array, diagonal: Any) -> tuple[jax.Array, jax.Array]:
    """W^T S^-1 and W^T S^-1 W for S = diagonal D + (1 - diagonal) R^T R / n.

    D holds the voxels' own noise variances, R the residuals. S (voxels x voxels) has beside its
    diagonal only the rank of the trials: the Woodbury identity inverts trials x trials instead.
    """
    residual = known.voxels - matmul(known.contrast, weights)
    variance = jnp.sum(jnp.square(residual), axis=0) / known.n_used
    own = 1 / (diagonal * jnp.maximum(variance, 1e-6))
    shared = residual * jnp.sqrt((1 - diagonal) / known.n_used)
    scaled = weights * own
    factor = jax.scipy.linalg.cho_factor(jnp.eye(len(shared)) + matmul(shared * own, shared.T))
    correction = jax.scipy.linalg.cho_solve(factor, matmul(shared, scaled.T))
    informative = scaled - matmul(correction.T, shared * own)
    return informative, matmul(informative, weights.T)


@jax.jit
def _invert(
    known: _Known, informative: jax.Array, precision: jax.Array, geometry: Geometry, variance: Any
) -> LinearModel:
    """The posterior mean as a linear model of the voxels in their own units."""
    factor = jax.scipy.linalg.cho_factor(precision + geometry.precision / variance)
    coef = jax.scipy.linalg.cho_solve(factor, informative).T / known.scale[:, None]
    return LinearModel(coef, known.average - matmul(known.mean, coef))


def _standardised(fmri, used, count) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Used trials as z-scores, others as zeros; a constant voxel becomes zero."""
    mean = jnp.sum(jnp.where(used[:, None], fmri, 0), axis=0) / count
    centred = jnp.where(used[:, None], fmri - mean, 0)
    unit = power_of_two(jnp.max(jnp.abs(centred), axis=0))  # squares of small numbers vanish
    deviation = unit * jnp.sqrt(jnp.sum(jnp.square(centred / unit), axis=0) / count)
    constant = deviation <= 1e-6 * jnp.abs(mean)
    scale = jnp.where(constant, 1, deviation)
    return jnp.where(constant, 0, centred / scale), mean, scale


def _gaussians(height: int, width: int) -> np.ndarray:
    """(fields, pixels): a Gaussian of each width at each pixel, scaled to norm 1."""
    rows, columns = np.mgrid[:height, :width].reshape(2, -1)
    distance = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
    fields = np.concatenate([np.exp(-distance / (2 * sigma**2)) for sigma in WIDTHS])
    fields /= np.linalg.norm(fields, axis=1, keepdims=True)
    return np.where(fields > SMALLEST, fields, 0)


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
