"""Which of many photographs was seen: the one under which the responses are most likely.

References:
    Kay, Naselaris, Prenger & Gallant (2008), Nature 452:352 (identification by an encoding model,
    there by correlation); Naselaris, Prenger, Kay, Oliver & Gallant (2009), Neuron 63:902 (by the
    likelihood under a covariance of errors).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from fmri_jax.encoding.noise_model import NoiseModel

BLOCK = 2048  # candidates compared at a time


class Placed(NamedTuple):
    """Where the own image of each response stands among the candidates."""

    above: np.ndarray  # (n,) candidates under which the response is more likely; ties count half
    candidates: int  # beside the own image

    def within(self, k: int) -> np.ndarray:
        """(n,) probability that the own image is among the k most likely, ties in random order."""
        return np.clip(k - self.above, 0, 1)

    def chance(self, k: int) -> float:
        """The same for responses that say nothing."""
        return min(k / (self.candidates + 1), 1.0)


def place(
    errors: NoiseModel, measured: np.ndarray, own: np.ndarray, candidates: np.ndarray
) -> Placed:
    """Ranks the own image of each response among candidates by log-likelihood.

    Args:
        errors: covariance of measured less predicted responses.
        measured: (n, voxels) responses.
        own: (n, voxels) predicted for the image that was seen.
        candidates: (m, voxels) predicted for other images.
    """
    rows = jnp.asarray(measured)
    with_own = np.diagonal(errors.log_likelihood(rows, jnp.asarray(own)))[:, None]
    above = np.zeros(len(measured))
    for start in range(0, len(candidates), BLOCK):
        block = jnp.asarray(candidates[start : start + BLOCK])
        found = np.asarray(errors.log_likelihood(rows, block))
        above += np.sum(found > with_own, axis=1) + 0.5 * np.sum(found == with_own, axis=1)
    return Placed(above, len(candidates))
