"""A linear bottleneck: a few numbers that tell most of what responses predict of some targets.

Reduced-rank ridge: of the predictions of a ridge regression, only the k directions in which those
of the training stimuli vary most are kept. With X the centred responses of n stimuli, F their
centred targets, H the hat matrix of ridge and w(x) its weights of a new response,

    H F F^T H = Q diag(l) Q^T,    z(x) = w(x) F V,    F V = F F^T H Q l^-1/2

so that of the targets only the Gram matrix F F^T is needed. Training rows get the numbers that a
map without their stimulus predicts: else they would be less noisy than those of new responses, and
whatever learns from them would trust them too much.

References:
    Mukherjee & Zhu (2011), Stat. Anal. Data Min. 4:612 (reduced-rank ridge);
    Mayo et al. (2024), "BrainBits", arXiv:2411.02783 (how little a decoder needs).
"""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.linear import dual_ridge

_RANK = 1e-6  # directions of less than this share of the largest variance are rounding


@dataclasses.dataclass(frozen=True, eq=False)
class Bottleneck:
    """Responses -> k numbers.

    Attributes:
        mean: (voxels,) of the training stimuli.
        directions: (voxels, k).
    """

    KIND: ClassVar[str] = "bottleneck"
    mean: np.ndarray
    directions: np.ndarray

    def __call__(self, fmri: np.ndarray) -> np.ndarray:
        """Responses (n, voxels) -> (n, k) float32."""
        return np.asarray((np.asarray(fmri) - self.mean) @ self.directions, np.float32)


def fit(
    rows: np.ndarray, gram: np.ndarray, k: int, fmri: np.ndarray, row: np.ndarray
) -> tuple[Bottleneck, np.ndarray]:
    """Learns a bottleneck from training stimuli; the penalty by the exact leave-one-out error.

    Args:
        rows: (stimuli, voxels) their responses, averages over trials.
        gram: (stimuli, stimuli) products of their centred targets.
        k: its width.
        fmri: (trials, voxels) training trials.
        row: (trials,) the row of each trial's stimulus.

    Returns:
        The bottleneck, and what it makes of the training trials, (trials, k) float32, each from a
        map without its stimulus; of variance 1 on average over the k numbers.

    Raises:
        InputError: predictions of these stimuli have fewer directions.
    """
    fitted = dual_ridge.with_penalties(
        dual_ridge.decompose(rows), {"": jnp.asarray(gram, jnp.float32)}
    )
    left, right = (np.asarray(part, np.float64) for part in (fitted.left, fitted.right))
    variance = np.asarray(fitted.variance, np.float64)
    shrunk = np.sqrt(variance) / (variance + float(fitted.alphas[""]))
    hat = (left * shrunk * np.sqrt(variance)) @ left.T  # without the mean
    along = gram @ hat
    size, basis = np.linalg.eigh(hat @ along)
    size, basis = size[::-1], basis[:, ::-1]
    found = int(np.sum(size > _RANK * max(size[0], 1e-300)))
    if k > found:
        raise InputError(
            f"config.preparation.bottleneck is {k}: what {len(rows)} training stimuli predict "
            f"varies in {found} directions; choose at most as many."
        )
    wanted = along @ basis[:, :k] / np.sqrt(size[:k])  # (stimuli, k) true targets, projected
    directions = (right * shrunk) @ (left.T @ wanted)
    mean = np.asarray(fitted.voxel_mean, np.float64)
    # Leaving row i out changes a prediction by h(x, i) / (1 - h(i, i)) times the residual of row i.
    n = len(rows)
    residual = (wanted - hat @ wanted) / np.maximum(1 - np.diag(hat) - 1 / n, 1e-6)[:, None]
    centred = fmri - mean
    own = np.einsum("tc,tc->t", (centred @ right) * shrunk, left[row]) + 1 / n
    codes = centred @ directions - own[:, None] * residual[row]
    scale = np.sqrt(np.mean(codes.var(axis=0))) or 1.0
    narrow = Bottleneck(mean.astype(np.float32), (directions / scale).astype(np.float32))
    return narrow, (codes / scale).astype(np.float32)
