"""Components of a Gaussian kernel: responses for which linear methods become kernel methods.

A linear map of these components is a kernel expansion in the responses, and ridge regression of
them is kernel ridge regression with an intercept. With K the kernel of the training stimuli's
responses among themselves and C = I - 1 1^T / n,

    k(x, y) = exp(-|x - y|^2 / (2 width^2)),    C K C = U diag(s^2) U^T,
    z(x) = (k(x) - mean of K over rows) U / s

For many voxels such a kernel is nearly linear; it pays where few neurons or voxels answer to many
stimuli. The width is chosen by the exact error of ridge on stimuli that were left out, which stays
exact: the kernel does not depend on which stimuli are there.

References:
    Schoelkopf, Smola & Mueller (1998), Neural Comput. 10:1299, equations 12 to 18 (kernel
    principal components); Saunders, Gammerman & Vovk (1998), ICML (kernel ridge regression).
"""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from fmri_jax.errors import InputError
from fmri_jax.linear import dual_ridge
from fmri_jax.linear.dual_ridge import DualRidge
from fmri_jax.linear.penalties import PENALTIES

WIDTHS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)  # in units of the root mean square distance of two stimuli
_RANK = 1e-6  # components of less than this share of the largest variance are rounding


@dataclasses.dataclass(frozen=True, eq=False)
class KernelComponents:
    """Responses -> components.

    Attributes:
        rows: (stimuli, voxels) responses of the training stimuli.
        mean: (stimuli,) of their kernel.
        directions: (stimuli, components).
        width: () of the kernel.
    """

    KIND: ClassVar[str] = "kernel"
    rows: np.ndarray
    mean: np.ndarray
    directions: np.ndarray
    width: np.ndarray

    def __call__(self, fmri: np.ndarray) -> np.ndarray:
        """Responses (n, voxels) -> (n, components) float32."""
        found = _gaussian(_squared_distances(fmri, self.rows), float(self.width))
        return np.asarray((found - self.mean) @ self.directions, np.float32)


def fit(rows: np.ndarray, gram: np.ndarray) -> KernelComponents:
    """Learns the components, and the width that predicts targets best.

    Args:
        rows: (stimuli, voxels) training responses, one row for each stimulus.
        gram: (stimuli, stimuli) products of the centred targets.

    Returns:
        The components of training stimuli, of variance 1 on average.

    Raises:
        InputError: all stimuli have the same responses.
    """
    distances = _squared_distances(rows, rows)
    scale = np.sqrt(distances.sum() / max(1, len(rows) * (len(rows) - 1)))
    if not scale > 1e-6 * np.sqrt(np.mean(np.square(rows, dtype=np.float64)) * rows.shape[1]):
        raise InputError(
            "config.preparation.kernel is 'gaussian' and the responses of all training stimuli are "
            "the same: expected two stimuli or more that differ."
        )
    targets = jnp.asarray(gram, jnp.float32)
    best, least = None, np.inf
    for width in scale * np.array(WIDTHS):
        found = _decompose(_gaussian(distances, width))
        error = _least_error(found, targets)
        if error < least:
            best, least = (width, found), error
    assert best is not None  # the error is finite
    width, (mean, vectors, variance) = best
    size = np.sqrt(variance.mean() / len(rows))
    return KernelComponents(
        rows=np.asarray(rows, np.float32),
        mean=mean,
        directions=vectors / np.sqrt(variance) / size,
        width=np.array(width),
    )


def _decompose(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The kernel's mean over rows, and the components (stimuli, k) and their variances (k,)."""
    mean = kernel.mean(axis=0)
    with threadpool_limits(1, "blas"):  # beside XLA's threads those of BLAS wait for one another
        variance, vectors = np.linalg.eigh(kernel - mean - mean[:, None] + mean.mean())
    kept = variance > _RANK * variance[-1]
    vectors = vectors[:, kept]
    # Libraries choose signs as they like, and a fold may be prepared again on another computer.
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return mean, vectors, variance[kept]


def _least_error(found: tuple[np.ndarray, np.ndarray, np.ndarray], gram: jnp.ndarray) -> float:
    """The least squared error of ridge on stimuli that were left out, of all penalties."""
    _, vectors, variance = (jnp.asarray(part, jnp.float32) for part in found)
    nothing = jnp.zeros(0)
    fitted = DualRidge(nothing, vectors, nothing, variance, {})
    alphas = jnp.asarray(PENALTIES) * jnp.sum(variance) / len(vectors)
    return float(jnp.min(dual_ridge.left_out_errors(fitted, gram, alphas)))


def _gaussian(squared: np.ndarray, width: float) -> np.ndarray:
    return np.asarray(np.exp(-squared / (2 * width**2)))


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, voxels), (m, voxels) -> (n, m) float64."""
    from sklearn.metrics.pairwise import euclidean_distances  # slow to import

    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.asarray(euclidean_distances(a, b, squared=True))
