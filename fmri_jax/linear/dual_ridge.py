"""The linear map from voxels to every unit of every layer, in its dual form.

With all voxels shared by all units, ridge predicts a weighted sum of the training features:

    t = m + w(x) (F - m),    w(x) = (x - x_m) V diag(s / (s^2 + alpha)) U^T

X - x_m = U diag(s) V^T are the responses of the training stimuli (averages over their trials), F
their features and m the mean of F. The map is n_stimuli wide however many units there are; the
features themselves are computed from the training images.

Where stimuli by far outnumber the components, as with simulated responses to photographs that
nobody viewed, nothing of stimuli x stimuli is formed: 40,000 would take 6 GiB.
"""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul
from fmri_jax.linear import left_out
from fmri_jax.linear.penalties import PENALTIES


@flax.struct.dataclass
class DualRidge:
    """Responses -> weights of the training stimuli, one penalty per layer."""

    voxel_mean: jax.Array  # (voxels,)
    left: jax.Array  # (stimuli, components) U
    right: jax.Array  # (voxels, components) V
    variance: jax.Array  # (components,) s^2
    alphas: dict[str, jax.Array]  # layer -> ()

    def weights(self, fmri: jax.Array, layer: str) -> jax.Array:
        """Responses (n, voxels) -> (n, stimuli) weights w(x)."""
        components = matmul(fmri - self.voxel_mean, self.right)
        shrunk = jnp.sqrt(self.variance) / (self.variance + self.alphas[layer])
        return matmul(components * shrunk, self.left.T)

    def deviations(self, fmri: jax.Array, layer: str, centred: jax.Array) -> jax.Array:
        """Responses (n, voxels) -> (n, ...) deviations from the mean of the features.

        Args:
            fmri: responses.
            layer: whose penalty is taken.
            centred: (stimuli, ...) features of training, less their mean.
        """
        flat = centred.reshape(len(centred), -1)
        return matmul(self.weights(fmri, layer), flat).reshape(-1, *centred.shape[1:])

    @property
    def is_tall(self) -> bool:
        """Whether products with the components cost less than products of stimuli."""
        return self.left.shape[0] > 2 * self.left.shape[1]

    def left_out(self, layer: str, centred: jax.Array, rows: Any = slice(None)) -> jax.Array:
        """The same of some or all training stimuli, each from a map that was fitted without it."""
        flat = centred.reshape(len(centred), -1)
        if self.is_tall:
            at = jnp.arange(len(flat))[rows]
            found = _left_out_of_many(self, self.alphas[layer], flat, at)
        else:
            found = matmul(self.left_out_weights(layer)[rows], flat)
        return found.reshape(-1, *centred.shape[1:])

    def left_out_weights(self, layer: str) -> jax.Array:
        """(stimuli, stimuli): each stimulus from a map that was fitted without it.

        With the hat matrix H, which holds the mean, leaving row i out changes its residual to
        e_i / (1 - h_i), so that its prediction is that of the weights H_i - h_i I_i over 1 - h_i.
        """
        n = len(self.left)
        share = self.variance / (self.variance + self.alphas[layer])
        hat = matmul(self.left * share, self.left.T) + 1 / n
        own = jnp.diag(hat)
        return (hat - jnp.diag(own)) / jnp.maximum(1 - own, 1e-6)[:, None]


def decompose(rows: Any) -> DualRidge:
    """The map of training responses (stimuli, voxels), without any penalty yet."""
    return _decompose(jnp.asarray(rows))


@jax.jit
def _decompose(rows: jax.Array) -> DualRidge:
    mean = jnp.mean(rows, axis=0)
    left, variance, right = left_out.decompose(rows - mean)
    return DualRidge(mean, left, right, variance, {})


def with_penalties(
    fitted: DualRidge, grams: Mapping[str, jax.Array], penalties: tuple[float, ...] = PENALTIES
) -> DualRidge:
    """Chooses the penalty of each layer by the exact squared error of leaving a stimulus out.

    Args:
        fitted: of `decompose`.
        grams: layer -> (stimuli, stimuli), products of the centred features, on which alone the
            error depends.
        penalties: to choose from, in units of the mean eigenvalue of the responses' Gram matrix.
    """
    alphas = _alphas(fitted, penalties)
    errors = {layer: left_out_errors(fitted, gram, alphas) for layer, gram in grams.items()}
    chosen = {layer: alphas[jnp.argmin(found)] for layer, found in errors.items()}
    return fitted.replace(alphas=chosen)  # type: ignore[attr-defined]


def with_penalties_for(
    fitted: DualRidge,
    features: Mapping[str, np.ndarray],
    penalties: tuple[float, ...] = PENALTIES,
) -> DualRidge:
    """`with_penalties` for features (stimuli, ...) by layer, by their Gram matrix or without it."""
    if not fitted.is_tall:
        grams = {layer: gram(array) for layer, array in features.items()}
        return with_penalties(fitted, grams, penalties)
    alphas, chosen = _alphas(fitted, penalties), {}
    for layer, array in features.items():
        errors = _errors_of_many(fitted, jnp.asarray(array.reshape(len(array), -1)), alphas)
        chosen[layer] = alphas[jnp.argmin(errors)]
    return fitted.replace(alphas=chosen)  # type: ignore[attr-defined]


def _alphas(fitted: DualRidge, penalties: tuple[float, ...]) -> jax.Array:
    unit = jnp.sum(fitted.variance) / len(fitted.left)
    return jnp.asarray(penalties) * jnp.where(unit > 0, unit, 1)


@jax.jit
def left_out_errors(fitted: DualRidge, gram: jax.Array, alphas: jax.Array) -> jax.Array:
    """(penalties,) summed squared errors of stimuli that are predicted without themselves.

    As `left_out.left_out_error`, whose rows are the residuals R = U diag(alpha / (s^2 + alpha)) U^T
    + P over 1 - h, with P what lies outside the components. Of the errors diag(R Gram R^T), written
    out, only U^T Gram U depends on the penalty: small matrices where a region has few voxels.
    """
    return _errors(fitted, matmul(fitted.left.T, gram), jnp.diagonal(gram), alphas)


@jax.jit
def _errors_of_many(fitted: DualRidge, features: jax.Array, alphas: jax.Array) -> jax.Array:
    """`left_out_errors` of features (stimuli, units), without their Gram matrix."""
    centred = features - jnp.mean(features, axis=0)
    along = matmul(matmul(fitted.left.T, centred), centred.T)
    return _errors(fitted, along, jnp.sum(centred**2, axis=1), alphas)


@jax.jit
def _left_out_of_many(
    fitted: DualRidge, alpha: jax.Array, centred: jax.Array, rows: jax.Array
) -> jax.Array:
    """(rows, units) what `left_out_weights` makes of features, without the weights."""
    shrunk = fitted.left[rows] * (fitted.variance / (fitted.variance + alpha))
    predicted = matmul(shrunk, matmul(fitted.left.T, centred)) + jnp.mean(centred, axis=0)
    own = (jnp.sum(fitted.left[rows] * shrunk, axis=1) + 1 / len(centred))[:, None]
    return (predicted - own * centred[rows]) / jnp.maximum(1 - own, 1e-6)


def _errors(
    fitted: DualRidge, along: jax.Array, diagonal: jax.Array, alphas: jax.Array
) -> jax.Array:
    """`left_out_errors` of U^T Gram (components, stimuli) and Gram's diagonal (stimuli,)."""
    n, components = fitted.left.shape
    left, squares = fitted.left, fitted.left**2
    within = matmul(along, left)
    across, outside, rest = jnp.zeros((n, 1)), jnp.zeros(n), jnp.zeros(n)
    if components < n:
        across = along.T - matmul(left, within)
        outside = diagonal - jnp.sum(left * (along.T + across), axis=1)
        rest = 1 - jnp.sum(squares, axis=1)

    def error(alpha: jax.Array) -> jax.Array:
        shares = alpha / (fitted.variance + alpha)
        remaining = left * shares
        errors = jnp.sum(remaining * (matmul(remaining, within) + 2 * across), axis=1) + outside
        kept = matmul(squares, shares[:, None])[:, 0] + rest - 1 / n + 1e-6
        return jnp.sum(errors / kept**2)

    return jax.lax.map(error, alphas)


def gram(features: np.ndarray) -> jax.Array:
    """(stimuli, units) -> (stimuli, stimuli) products of the centred features."""
    return _gram(jnp.asarray(features.reshape(len(features), -1)))


@jax.jit
def _gram(features: jax.Array) -> jax.Array:
    centred = features - jnp.mean(features, axis=0)
    return matmul(centred, centred.T)
