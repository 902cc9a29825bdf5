"""Ridge regression from voxels to all pixels: the linear method that others must beat."""

import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul
from fmri_jax.errors import InputError
from fmri_jax.evaluation import tall_ridge
from fmri_jax.evaluation.images import as_images
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.evaluation.tall_ridge import Components
from fmri_jax.linear.left_out import (
    decompose,
    left_out_identification,
    left_out_residuals,
    rows_by_stimulus,
)
from fmri_jax.linear.penalties import PENALTIES

Choice = Literal["error", "identification"]


class RidgeBaseline(NamedTuple):
    """Ridge regression from voxels to all pixels, as a reconstructor (a pytree of arrays).

    The map voxels -> pixels is kept as two factors, through the principal components of the
    training trials: with 3,000 voxels and 12,288 pixels the map itself would take 147 MB.
    """

    trial_mean: jax.Array  # (voxels,) of the training trials, each of which counts
    voxel_mean: jax.Array  # (voxels,) of the rows fitted to, averages of them or the same
    to_components: jax.Array  # (voxels, components)
    to_pixels: jax.Array  # (components, pixels)
    pixel_mean: jax.Array  # (pixels,)
    penalty: jax.Array  # (), the alpha that was chosen
    shape: jax.Array  # (3,): height, width, channels

    def reconstruct(self, fmri: Any, gain: Any = 1.0) -> np.ndarray:
        """Predicts images: (n, voxels) -> (n, height, width, channels), clipped to [0, 1].

        `gain`, one or (n,), is what preparation multiplied each row's distance from the mean of
        the training trials by; a linear map would answer with as much more contrast, so it is
        taken back.
        """
        pixels = self.predict(fmri, gain)
        return np.asarray(pixels).reshape(-1, *(int(side) for side in self.shape))

    def predict(self, fmri: Any, gain: Any = 1.0) -> jax.Array:
        """As `reconstruct`, with flattened images (n, pixels)."""
        return _predict(self, jnp.asarray(fmri), jnp.reshape(jnp.asarray(gain), (-1, 1)))


def ridge(
    fmri: Any,
    stimulus: Any,
    images: Any,
    penalties: tuple[float, ...] = PENALTIES,
    average: bool = True,
    choose: Choice = "error",
) -> RidgeBaseline:
    """Fits ridge regression from voxels to pixels.

    One penalty for all pixels is chosen by leaving each stimulus with all of its trials out, by the
    exact squared error or by identification. One eigendecomposition serves all penalties and all
    pixels.

    Trials of a stimulus are averaged, 1,200 rows for 6,000 trials, where test rows are averages.
    For single test trials that is no fair opponent, as it does not know their noise: block by block
    on the Miyawaki figures, pixel correlation is .82, and .86 after a fit to single trials.

    The smallest error is not the best identification: shrinking towards the mean image helps the
    one and harms the other. A method that is compared with ridge in identification is compared
    fairly with the choice by identification, in squared error with that by error.

    Args:
        fmri: (trials, voxels) training trials.
        stimulus: (trials,) index into `images`.
        images: (stimuli, height, width, channels); uint8 or in [0, 1].
        penalties: what to choose from, in units of the mean eigenvalue of the Gram matrix.
        average: whether the trials of a stimulus are averaged; False for single test trials.
        choose: "error": least squared error of the left-out stimuli; "identification": how often
            they are told from the other training stimuli, in pairs.

    Returns:
        The fitted reconstructor.

    Raises:
        InputError: fewer than two stimuli, or a stimulus without an image.

    References:
        Hoerl & Kennard (1970), Technometrics 12:55; the leave-one-out error: Allen (1974),
        Technometrics 16:125, of several rows: Cook & Weisberg (1982), Residuals and Influence in
        Regression, section 3.6.
    """
    return _chosen(fmri, stimulus, images, penalties, average, (choose,))[choose]


def ridges(
    fmri: Any,
    stimulus: Any,
    images: Any,
    penalties: tuple[float, ...] = PENALTIES,
    average: bool = True,
) -> dict[Choice, RidgeBaseline]:
    """Ridge by both choices of its penalty, from one decomposition; arguments as `ridge`."""
    return _chosen(fmri, stimulus, images, penalties, average, ("error", "identification"))


def _chosen(
    fmri: Any,
    stimulus: Any,
    images: Any,
    penalties: tuple[float, ...],
    average: bool,
    choices: tuple[Choice, ...],
) -> dict[Choice, RidgeBaseline]:
    images, stimulus = np.asarray(images), np.asarray(stimulus)
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
        images = as_images(images, "images")
    if stimulus.min(initial=0) < 0 or stimulus.max(initial=0) >= len(images):
        raise InputError(
            f"stimulus goes from {stimulus.min()} to {stimulus.max()} and there are "
            f"{len(images)} images: expected indices from 0 to {len(images) - 1}."
        )
    rows, seen = average_by_stimulus(fmri, stimulus)
    if len(seen) < 2:
        raise InputError("the ridge baseline found one training stimulus: expected at least two.")
    trials = np.asarray(fmri, rows.dtype)
    if not average:
        rows, seen = trials, stimulus
    options = np.asarray(penalties, rows.dtype)
    fitted: tuple[RidgeBaseline, ...]
    if choices == ("error",) and len(rows) > rows.shape[1]:
        fitted = (_tall(rows, images, seen, options),)
    else:
        groups = rows_by_stimulus(seen)
        fitted = _solve(rows, as_images(images[seen], "images"), groups, options, choices)
    mean = jnp.asarray(trials.mean(axis=0, dtype=np.float64))
    return {c: one._replace(trial_mean=mean) for c, one in zip(choices, fitted, strict=True)}


@jax.jit
def _predict(fitted: RidgeBaseline, fmri: jax.Array, gain: jax.Array) -> jax.Array:
    trial_mean = fitted.trial_mean
    centred = ((fmri - trial_mean) / gain + (trial_mean - fitted.voxel_mean)).astype(fmri.dtype)
    components = matmul(centred, fitted.to_components)
    return jnp.clip(matmul(components, fitted.to_pixels) + fitted.pixel_mean, 0, 1)


def _tall(
    rows: np.ndarray, images: np.ndarray, shown: np.ndarray, penalties: np.ndarray
) -> RidgeBaseline:
    """As `_solve` by error, where rows outnumber voxels: in blocks of rows (`tall_ridge`)."""
    found = tall_ridge.components(rows, images, shown)
    total = jnp.sum(found.variance)
    alphas = jnp.asarray(penalties) * jnp.where(
        total > 0, total / len(rows), 1
    )  # 1: no voxel ever changes
    errors = tall_ridge.left_out_errors(rows, images, shown, found, alphas)
    return _fitted(found, alphas[int(np.argmin(errors))], images.shape[1:])


def _fitted(found: Components, alpha: jax.Array, shape: tuple[int, ...]) -> RidgeBaseline:
    """The map with a penalty."""
    mean, right, variance, projected, target_mean = found
    to_components = right * (jnp.sqrt(variance) / (variance + alpha))
    sides = jnp.asarray(shape)
    return RidgeBaseline(mean, mean, to_components, projected, target_mean, alpha, sides)


@functools.partial(jax.jit, static_argnames="choices")
def _solve(
    x: jax.Array,
    images: jax.Array,
    groups: jax.Array,
    penalties: jax.Array,
    choices: tuple[Choice, ...] = ("error",),
) -> tuple[RidgeBaseline, ...]:
    """Centres, decomposes and chooses penalties; each of `groups` is left out at a time."""
    y = images.reshape(len(images), -1)
    x_mean, y_mean = jnp.mean(x, axis=0), jnp.mean(y, axis=0)
    x, y = x - x_mean, y - y_mean
    left, variance, right = decompose(x)
    projected = matmul(left.T, y)  # (components, pixels)
    total = jnp.sum(variance)
    alphas = penalties * jnp.where(total > 0, total / len(x), 1)  # 1: no voxel ever changes
    residuals = left_out_residuals(
        left, variance, groups, jnp.eye(len(x), dtype=x.dtype) - 1 / len(x)
    )
    identified = None
    if "identification" in choices:
        pixels = y - jnp.mean(y, axis=1, keepdims=True) + (y_mean - jnp.mean(y_mean))
        identified = left_out_identification(groups, matmul(pixels, pixels.T))
    moment = matmul(y, y.T)

    def criteria(alpha: jax.Array) -> tuple[jax.Array, jax.Array]:
        left_out = residuals(alpha)
        share = identified(left_out) if identified else jnp.zeros((), x.dtype)
        return jnp.sum(matmul(left_out, moment) * left_out), share

    errors, shares = jax.lax.map(criteria, alphas)
    most = shares >= jnp.max(shares) - 1e-6  # of several the one of least error
    best = {
        "error": jnp.argmin(errors),
        "identification": jnp.argmin(jnp.where(most, errors, jnp.inf)),
    }
    found = Components(x_mean, right, variance, projected, y_mean)
    return tuple(_fitted(found, alphas[best[c]], images.shape[1:]) for c in choices)
