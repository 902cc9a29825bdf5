"""Population receptive fields: a Gaussian window on feature maps for each voxel.

Each candidate window pools all layers; ridge regression from the pooled channels predicts all
voxels. A voxel takes the window and penalty whose left-out error is least. Over the energy of Gabor
filters this is a model of Kay et al. (2008) whose weights are separable in space and filter; over
the layers of a network, that of St-Yves & Naselaris (2018).

References:
    Dumoulin & Wandell (2008), NeuroImage 39:647 (population receptive fields);
    Kay, Naselaris, Prenger & Gallant (2008), Nature 452:352 (Gabor wavelet pyramid);
    St-Yves & Naselaris (2018), NeuroImage 180:188 (feature-weighted receptive fields).
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from fmri_jax.arrays import einsum
from fmri_jax.encoding import best_ridge
from fmri_jax.encoding.options import Options
from fmri_jax.encoding.separable import SeparableReadout
from fmri_jax.linear.left_out import decompose

CENTRES = 8  # across and down
DEVIATIONS = (0.04, 0.08, 0.16, 0.32)  # of the Gaussians, in image sides; and the whole image

Shapes = dict[str, tuple[int, int]]


def candidates() -> np.ndarray:
    """(windows, 3) centre x and y and deviation, in image sides; the last is the whole image."""
    line = (np.arange(CENTRES) + 0.5) / CENTRES
    found = [(x, y, deviation) for deviation in DEVIATIONS for y in line for x in line]
    return np.asarray([*found, (0.5, 0.5, 1e3)], np.float32)


def windows(fields: np.ndarray, height: int, width: int) -> np.ndarray:
    """Gaussian windows on a map.

    Args:
        fields: (windows, 3) centre x and y and deviation, in image sides.
        height: cells.
        width: cells.

    Returns:
        (windows, height * width) float32, each of sum 1; one narrower than a cell is that cell.
    """
    lines = [(np.arange(length) + 0.5) / length for length in (height, width)]
    down, across = (each.reshape(-1) for each in np.meshgrid(*lines, indexing="ij"))
    squared = (across - fields[:, :1]) ** 2 + (down - fields[:, 1:2]) ** 2
    exponent = -0.5 * squared / fields[:, 2:] ** 2
    found = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return (found / found.sum(axis=1, keepdims=True)).astype(np.float32)


def fit(
    maps: Mapping[str, np.ndarray], responses: np.ndarray, folds: np.ndarray, options: Options
) -> tuple[SeparableReadout, np.ndarray]:
    """Chooses a window and a penalty for each voxel by left-out stimuli, and fits its channels.

    Args:
        maps: layer -> (stimuli, h, w, c).
        responses: (stimuli, voxels).
        folds: not used: stimuli are left out one by one, which of few channels is the cheapest
            error to know exactly.
        options: `penalties`.

    Returns:
        The fit, and (stimuli, voxels) predictions of stimuli left out.
    """
    fields = candidates()
    masks = {layer: windows(fields, *found.shape[1:3]) for layer, found in maps.items()}
    flat = {
        layer: jnp.asarray(found.reshape(len(found), -1, found.shape[-1]))
        for layer, found in maps.items()
    }
    target = jnp.asarray(responses, jnp.float32)
    mean = target.mean(axis=0)
    sizes = [found.shape[-1] for found in maps.values()]
    best = best_ridge.start(len(target), target.shape[1], sum(sizes))
    groups = np.arange(len(target), dtype=np.int32)[:, None]
    alphas = np.asarray(options.penalties, np.float32)
    centres, units = [], []
    with threadpool_limits(1, "blas"):  # see `banded_ridge.search`
        for number in range(len(fields)):
            window = {layer: each[number] for layer, each in masks.items()}
            best, centre, unit = _improved(
                best, number, flat, window, target - mean, alphas, groups
            )
            centres.append(centre)
            units.append(unit)
    chosen = np.asarray(best.candidate)
    weights = best.coef / jnp.stack(units)[chosen].T  # (channels of all layers, voxels)
    bias = mean - jnp.sum(weights * jnp.stack(centres)[chosen].T, axis=0)
    parts = jnp.split(weights.T, np.cumsum(sizes)[:-1], axis=1)
    readout = SeparableReadout(
        space={layer: jnp.asarray(each[chosen]) for layer, each in masks.items()},
        channels=dict(zip(maps, parts, strict=True)),
        bias=bias,
        fields=jnp.asarray(fields[chosen]),
        alphas=best.alphas,
    )
    return readout, np.asarray(target - best.residuals)


@jax.jit
def _improved(
    best: best_ridge.Best,
    number: int,
    flat: dict[str, jax.Array],
    window: dict[str, jax.Array],
    centred: jax.Array,
    alphas: jax.Array,
    groups: jax.Array,
) -> tuple[best_ridge.Best, jax.Array, jax.Array]:
    """The best with one more window, and the mean and deviation of each of its channels."""
    pooled = jnp.concatenate(
        [einsum("npc,p->nc", found, window[layer]) for layer, found in flat.items()], axis=1
    )
    mean, unit = pooled.mean(axis=0), pooled.std(axis=0)
    unit = jnp.where(unit > 1e-6 * jnp.abs(mean) + 1e-12, unit, jnp.inf)
    # Squared singular values of mean 1 over stimuli, as for a band of `banded`.
    unit = unit * np.sqrt(pooled.shape[1])
    left, variance, right = decompose((pooled - mean) / unit)
    design = left, variance, right * jnp.sqrt(variance)
    return best_ridge.improved(best, number, design, centred, alphas, groups), mean, unit
