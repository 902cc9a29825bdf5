"""From predicted element contrasts to pixels: how much each scale, element or pixel counts.

Weights must be learned from out-of-sample predictions of the training trials (inner folds). A
decoder with ten voxels for a hundred trials predicts its own training trials much too well, small
elements best of all, and weights learned from those predictions reward that.
"""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fmri_jax.arrays import einsum, matmul
from fmri_jax.errors import InputError
from fmri_jax.linear.design import power_of_two
from fmri_jax.methods.local_decoders.bases import Basis
from fmri_jax.methods.local_decoders.options import Weights

N_STEPS = 600
BATCH_SIZE = 32  # trials a step
LEARNING_RATE = 0.1  # decays to zero along a half cosine


def equal_weights(basis: Basis) -> np.ndarray:
    """(scales,): every scale counts the same, as in nilearn's example."""
    return np.full(len(basis.sizes), 1 / len(basis.sizes), np.float32)


def combination(basis: Basis, weights: Any) -> np.ndarray:
    """The matrix (elements, pixels) that turns predicted elements into pixels.

    Args:
        basis: the elements.
        weights: (scales,), (elements,) or (elements, pixels).

    Raises:
        InputError: another shape.
    """
    weights = np.asarray(weights, np.float32)
    if weights.shape == (len(basis.sizes),):
        weights = weights[basis.scale]
    if weights.shape == (basis.n_elements,):
        return weights[:, None] * basis.synthesis
    if weights.shape != basis.masks.shape:
        raise InputError(
            f"weights have shape {weights.shape}: expected one a scale ({len(basis.sizes)},), one "
            f"an element ({basis.n_elements},), or {basis.masks.shape}."
        )
    return weights * basis.synthesis


def synthesise(
    predictions: jax.Array, combination: jax.Array, shape: tuple[int, int, int]
) -> jax.Array:
    """Predicted elements (n, elements x channels) -> images (n, height, width, channels)."""
    height, width, channels = shape
    by_channel = predictions.reshape(len(predictions), -1, channels)
    pixels = einsum("nec,ep->npc", by_channel, combination)
    return pixels.reshape(-1, height, width, channels)


def by_channel(predictions: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Channels as further trials: (n x channels, elements) and (n x channels, pixels)."""
    n, height, width, channels = images.shape
    return (
        predictions.reshape(n, -1, channels).transpose(0, 2, 1).reshape(n * channels, -1),
        images.reshape(n, height * width, channels).transpose(0, 2, 1).reshape(n * channels, -1),
    )


def learn(kind: Weights, basis: Basis, predictions: Any, images: Any, key: jax.Array) -> np.ndarray:
    """Learns weights from out-of-sample predictions.

    Args:
        kind: "equal" (nothing to learn), "learned" (one weight per scale), "element" (one per
            element, Miyawaki et al. 2008) or "pixel" (one for each pixel that an element covers).
        basis: the elements.
        predictions: (n, elements), out of sample.
        images: (n, pixels) in [0, 1], the targets.
        key: random key, for "learned".

    Returns:
        (scales,), (elements,) or (elements, pixels) float32, none negative.

    Raises:
        InputError: shapes that do not fit.
    """
    predictions, images = jnp.asarray(predictions), jnp.asarray(images)
    n = len(images)
    expected = ((n, basis.n_elements), (n, basis.height * basis.width))
    if (predictions.shape, images.shape) != expected:
        raise InputError(
            f"predictions {predictions.shape} and images {images.shape} do not fit the basis: "
            f"expected {expected[0]} and {expected[1]}."
        )
    if kind == "equal":
        return equal_weights(basis)
    # The weights do not depend on the unit of the contrasts; the learning rate does, and squares of
    # very small or large ones vanish or overflow.
    unit = power_of_two(jnp.max(jnp.abs(images)))
    predictions, images = predictions / unit, images / unit
    if kind == "learned":
        return np.asarray(scale_weights(basis, predictions, images, key))
    if kind == "element":
        return _element_weights(basis, predictions, images)
    return _pixel_weights(basis, predictions, images)


def scale_weights(
    basis: Basis, predictions: jax.Array, images: jax.Array, key: jax.Array
) -> jax.Array:
    """One weight a scale, by stochastic gradient descent on the mean squared pixel error.

    The weights are kept non-negative, but free in their sum: shrunken predictions ask for a sum
    above 1, noisy ones for less, and only then is 0.5 the right threshold. (The weights that the
    student report prints sum to .98.) They start equal.

    Args:
        basis: the elements.
        predictions: (n, elements), out of sample.
        images: (n, pixels).
        key: draws the batches.

    Returns:
        (scales,).
    """
    given = jnp.asarray(basis.synthesis), jnp.asarray(equal_weights(basis))
    return _scale_weights(predictions, images, *given, key, basis.counts)


@functools.partial(jax.jit, static_argnames="counts")
def _scale_weights(
    predictions: jax.Array,
    images: jax.Array,
    synthesis: jax.Array,
    equal: jax.Array,
    key: jax.Array,
    counts: tuple[int, ...],
) -> jax.Array:
    """`scale_weights` in one program; `counts` are the elements of each scale, in their order."""
    ends = list(itertools.accumulate(counts))
    layers = jnp.stack(
        [
            matmul(predictions[:, end - count : end], synthesis[end - count : end])
            for count, end in zip(counts, ends, strict=True)
        ],
        axis=1,
    )  # (n, scales, pixels): each scale's own image
    # Which learning rate fits depends on how large the contrasts are, and a scale whose noise is
    # many times that of the others would set the pace for them: each descends in its own unit.
    sizes = jnp.sqrt(jnp.mean(jnp.square(layers), axis=(0, 2)))
    unit = jnp.sqrt(jnp.mean(jnp.square(sizes)))
    unit = jnp.where(unit > 0, unit, 1)
    sizes = jnp.where(sizes > 0, sizes, unit)
    start = equal * sizes / unit
    return _descend(layers / sizes[:, None], images / unit, start, key) * unit / sizes


def _descend(layers: jax.Array, images: jax.Array, start: jax.Array, key: jax.Array) -> jax.Array:
    optimiser = optax.sgd(optax.cosine_decay_schedule(LEARNING_RATE, N_STEPS), momentum=0.9)

    # The error is quadratic in the weights: a trial's inner products say all that its pixels do.
    blends = einsum("nkp,nlp->nkl", layers, layers)
    matches = einsum("nkp,np->nk", layers, images)

    def error(weights: jax.Array, rows: jax.Array) -> jax.Array:
        """Mean squared pixel error of some trials, but for a constant."""
        squares = weights @ jnp.mean(blends[rows], axis=0) @ weights
        return (squares - 2 * jnp.mean(matches[rows], axis=0) @ weights) / images.shape[1]

    def step(state: Any, key: jax.Array) -> tuple[Any, None]:
        weights, moments = state
        rows = jax.random.randint(key, (BATCH_SIZE,), 0, len(images))
        updates, moments = optimiser.update(jax.grad(error)(weights, rows), moments)
        weights = optax.projections.projection_non_negative(optax.apply_updates(weights, updates))
        return (weights, moments), None

    keys = jax.random.split(key, N_STEPS)
    (weights, _), _ = jax.lax.scan(step, (start, optimiser.init(start)), keys)
    return weights


def _element_weights(basis: Basis, predictions: Any, images: Any) -> np.ndarray:
    """One weight per element over all of its pixels (Miyawaki et al. 2008).

    The design matrix has a row for each pixel of each trial; its Gram matrix is the elementwise
    product of two small ones. L-BFGS-B finds the non-negative minimum from that: an active-set
    method takes several times as long from 1,500 elements upwards.
    """
    from scipy import optimize  # slow to import

    elements, pixels, synthesis = (
        np.asarray(x, float) for x in (predictions, images, basis.synthesis)
    )
    gram = (elements.T @ elements) * (synthesis @ synthesis.T)
    products = np.sum((elements.T @ pixels) * synthesis, axis=1)
    # Unknowns are scaled to a unit diagonal; an element that is predicted to be 0 stays out.
    scale = 1 / np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), np.inf))
    gram, products = gram * scale[:, None] * scale, products * scale

    def error(weights: np.ndarray) -> tuple[float, np.ndarray]:
        """Half the squared error but for a constant, and its gradient."""
        moved = gram @ weights
        return float(weights @ (moved / 2 - products)), moved - products

    found = optimize.minimize(
        error,
        np.zeros_like(products),
        jac=True,
        method="L-BFGS-B",
        bounds=optimize.Bounds(0, np.inf),
        options={"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-14, "gtol": 1e-9},
    )
    return (found.x * scale).astype(np.float32)


def _pixel_weights(basis: Basis, predictions: Any, images: Any) -> np.ndarray:
    """(elements, pixels): for each pixel a weight for each element that covers it."""
    from scipy import optimize  # slow to import

    elements, pixels = np.asarray(predictions, float), np.asarray(images, float)
    weights = np.zeros(basis.masks.shape, np.float32)
    for pixel, target in enumerate(pixels.T):
        covering = np.flatnonzero(basis.masks[:, pixel])
        design = elements[:, covering] * basis.synthesis[covering, pixel]
        weights[covering, pixel], _ = optimize.nnls(design, target, maxiter=100 * len(covering))
    return weights
