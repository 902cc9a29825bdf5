"""Banded ridge from pooled maps of layers: fitted to stimuli, then applied to other images."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul
from fmri_jax.encoding import banded_ridge
from fmri_jax.encoding.options import Options

Search = Callable[..., banded_ridge.Solution]


@flax.struct.dataclass
class Band:
    """One layer's features, in units in which the kernel of the training stimuli has trace n."""

    mean: jax.Array  # (features,)
    scale: jax.Array  # ()
    rows: jax.Array  # (stimuli, features) centred and scaled; none where weights are of features

    def units(self, maps: jax.Array) -> jax.Array:
        """Maps (m, h, w, c) -> features (m, features), or products with the stimuli (m, n)."""
        found = (maps.reshape(len(maps), -1) - self.mean) * self.scale
        return matmul(found, self.rows.T) if len(self.rows) else found


@flax.struct.dataclass
class BandedReadout:
    """Weights of each voxel, for features or training stimuli: whichever are fewer numbers."""

    bands: dict[str, Band]  # layer -> its features
    coef: dict[str, jax.Array]  # layer -> (features or stimuli, voxels)
    weights: dict[str, jax.Array]  # layer -> (voxels,) gamma
    mean: jax.Array  # (voxels,) of the responses
    alphas: jax.Array  # (voxels,) penalties

    @jax.jit
    def predict(self, maps: dict[str, jax.Array]) -> jax.Array:
        """Maps of layers (m, h, w, c) -> responses (m, voxels)."""
        found = self.mean
        for layer, band in self.bands.items():
            found += matmul(band.units(maps[layer]), self.coef[layer])
        return found

    def summary(self) -> dict[str, float]:
        """The mean weight of each layer over voxels, and the median penalty."""
        found = {f"weight of {name}": float(each.mean()) for name, each in self.weights.items()}
        return {**found, "median penalty": float(jnp.median(self.alphas))}


def fit(
    maps: Mapping[str, np.ndarray],
    responses: np.ndarray,
    folds: np.ndarray,
    options: Options,
    search: Search = banded_ridge.search,
) -> tuple[BandedReadout, np.ndarray]:
    """Chooses weights of layers and a penalty for each voxel by left-out stimuli, and fits.

    Args:
        maps: layer -> (stimuli, h, w, c).
        responses: (stimuli, voxels).
        folds: (stimuli,) which stimuli are left out together.
        options: `n_candidates`, `penalties`, `seed`.
        search: `banded_ridge.search`, or one that gives the same.

    Returns:
        The fit, and (stimuli, voxels) predictions of stimuli left out.
    """
    bands = {layer: _band(jnp.asarray(found)) for layer, found in maps.items()}
    kernels = jnp.stack([matmul(band.rows, band.rows.T) for band in bands.values()])
    candidates = banded_ridge.candidate_weights(len(bands), options.n_candidates, options.seed)
    alphas = np.asarray(options.penalties, np.float32)
    found = search(kernels, jnp.asarray(responses), candidates, alphas, folds)
    weights = dict(zip(bands, found.band_weights, strict=True))
    pairs = {layer: _smaller(band, weights[layer] * found.dual) for layer, band in bands.items()}
    readout = BandedReadout(
        {layer: band for layer, (band, _) in pairs.items()},
        {layer: coef for layer, (_, coef) in pairs.items()},
        weights,
        jnp.mean(jnp.asarray(responses), axis=0),
        found.alphas,
    )
    return readout, np.asarray(found.left_out)


def _smaller(band: Band, dual: jax.Array) -> tuple[Band, jax.Array]:
    """Weights of features in place of those of stimuli, where these are no more numbers.

    They are also the more exact ones: dual weights are large where few features predict many
    stimuli, and their sums small.
    """
    (n, features), voxels = band.rows.shape, dual.shape[1]
    if features * voxels > n * (features + voxels):
        return band, dual
    coef = np.asarray(band.rows, np.float64).T @ np.asarray(dual, np.float64)
    return band.replace(rows=jnp.zeros((0, features))), jnp.asarray(coef, jnp.float32)  # type: ignore[attr-defined]


@jax.jit
def _band(maps: jax.Array) -> Band:
    flat = maps.reshape(len(maps), -1)
    mean = flat.mean(axis=0)
    centred = flat - mean
    variance = jnp.sum(centred**2) / len(flat)
    scale = jnp.where(variance > 0, jax.lax.rsqrt(jnp.where(variance > 0, variance, 1)), 0)
    return Band(mean, scale, centred * scale)


def restore(tree: dict[str, Any]) -> BandedReadout:
    """The readout whose fields, as nested dicts, these are."""
    bands = {layer: Band(**arrays) for layer, arrays in tree["bands"].items()}
    return BandedReadout(**{**tree, "bands": bands})
