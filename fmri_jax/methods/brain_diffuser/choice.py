"""Choosing among samples by the responses that they would give (Naselaris et al. 2009)."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import features
from fmri_jax.linear import target_map
from fmri_jax.linear.target_map import TargetMap
from fmri_jax.methods.brain_diffuser.config import CHOOSING_NETWORK

LAYER = "pooled"
_RESPONSES = "responses"


@flax.struct.dataclass
class Encoding:
    """From images to responses, and how much to trust each voxel."""

    map: TargetMap
    mean: jax.Array  # (features,) of training
    std: jax.Array
    trust: jax.Array  # (voxels,) correlation with responses that were left out, at least 0

    def likeness(self, images: np.ndarray, fmri: jax.Array) -> jax.Array:
        """Correlation over voxels, weighted by trust, of predicted with measured responses.

        Args:
            images: (n, h, w, c) in [0, 1].
            fmri: (n, voxels).

        Returns:
            (n,).
        """
        rows = (jnp.asarray(features_of(images)) - self.mean) / self.std
        predicted = self.map.decode(rows)[_RESPONSES]
        return _weighted_correlation(predicted, jnp.asarray(fmri), self.trust)


def features_of(images: np.ndarray) -> np.ndarray:
    """(n, features) of the network that predicts responses."""
    return features.load(CHOOSING_NETWORK, (LAYER,))(images)[LAYER]


def fit(images: np.ndarray, rows: np.ndarray) -> Encoding:
    """Learns from training stimuli.

    Args:
        images: (stimuli, h, w, c) uint8.
        rows: (stimuli, voxels) their responses.
    """
    found = features_of(images)
    mean, std = found.mean(axis=0), found.std(axis=0)
    std = np.where(std > 0, std, 1)
    fitted = target_map.fit((found - mean) / std, {_RESPONSES: rows}, {_RESPONSES: None}, 1)
    centred = jnp.asarray(rows - rows.mean(axis=0))
    left_out = fitted.map.left_out_weights(_RESPONSES) @ centred
    across = jnp.sqrt((left_out**2).sum(0) * (centred**2).sum(0))
    trust = (left_out * centred).sum(0) / jnp.where(across > 0, across, 1)
    return Encoding(fitted, jnp.asarray(mean), jnp.asarray(std), jnp.maximum(trust, 0))


@jax.jit
def _weighted_correlation(a: jax.Array, b: jax.Array, weights: jax.Array) -> jax.Array:
    total = jnp.maximum(weights.sum(), 1e-12)
    a, b = (x - (x * weights).sum(1, keepdims=True) / total for x in (a, b))
    across = jnp.sqrt((a * a * weights).sum(1) * (b * b * weights).sum(1))
    return (a * b * weights).sum(1) / jnp.maximum(across, 1e-12)


def state(encoding: Encoding) -> dict[str, Any]:
    """Arrays by name, as nested dicts."""
    return {
        "map": target_map.state(encoding.map, ()),
        "mean": encoding.mean,
        "std": encoding.std,
        "trust": encoding.trust,
    }


def restore(tree: dict[str, Any]) -> Encoding:
    """The model whose `state` gave these."""
    return Encoding(target_map.restore(tree["map"], {}), tree["mean"], tree["std"], tree["trust"])
