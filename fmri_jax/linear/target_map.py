"""From voxels to what a generative model takes: ridge in its dual form, and gains."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.linear import dual_ridge
from fmri_jax.linear.dual_ridge import DualRidge
from fmri_jax.linear.gains import gains


@flax.struct.dataclass
class TargetMap:
    """A map from voxels to several arrays per image, each with a penalty of its own."""

    map: DualRidge
    targets: dict[str, jax.Array]  # name -> (stimuli, ...) of the training images
    means: dict[str, jax.Array]  # name -> (...)
    gains: dict[str, jax.Array]  # name -> (channels,)

    def decode(self, fmri: jax.Array) -> dict[str, jax.Array]:
        """fMRI (n, voxels), standardised as in training -> name -> (n, ...)."""
        return _decode(self, jnp.asarray(fmri))


def fit(
    decomposed: DualRidge,
    targets: dict[str, np.ndarray],
    alphas: dict[str, float | None],
    largest_gain: float,
) -> TargetMap:
    """Learns from training stimuli.

    Args:
        decomposed: their responses, by `dual_ridge.decompose`.
        targets: name -> (stimuli, ..., channels) what is decoded.
        alphas: the penalty of each; None: by the exact error of leaving a stimulus out.
        largest_gain: by how much what is decoded is enlarged at most, towards its true dispersion,
            by factors learned from stimuli that were left out; 1: not at all.
    """
    open_ = {name: targets[name] for name, alpha in alphas.items() if alpha is None}
    chosen = dual_ridge.with_penalties_for(decomposed, open_).alphas
    given = {name: jnp.asarray(a, jnp.float32) for name, a in alphas.items() if a is not None}
    fitted = dual_ridge.DualRidge(**{**vars(decomposed), "alphas": {**chosen, **given}})
    means, factors = {}, {}
    for name, true in targets.items():
        mean = true.mean(axis=0, dtype=np.float64).astype(np.float32)
        means[name], factors[name] = jnp.asarray(mean), jnp.ones(true.shape[-1])
        if largest_gain > 1:
            centred = true - mean
            decoded = np.asarray(fitted.left_out(name, jnp.asarray(centred)))
            factors[name] = jnp.asarray(gains(centred, decoded, largest_gain))
    arrays = {name: jnp.asarray(array) for name, array in targets.items()}
    return TargetMap(fitted, arrays, means, factors)


@jax.jit
def _decode(fitted: TargetMap, fmri: jax.Array) -> dict[str, jax.Array]:
    found = {}
    for name, targets in fitted.targets.items():
        mean = fitted.means[name]
        deviations = fitted.map.deviations(fmri, name, targets - mean)
        found[name] = mean + fitted.gains[name] * deviations
    return found


def state(fitted: TargetMap, without: tuple[str, ...]) -> dict[str, Any]:
    """Arrays by name, as nested dicts; the targets named in `without` are left out."""
    names = ("voxel_mean", "left", "right", "variance", "alphas")
    kept = {name: array for name, array in fitted.targets.items() if name not in without}
    return {
        "map": {name: getattr(fitted.map, name) for name in names},
        "targets": kept,
        "means": fitted.means,
        "gains": fitted.gains,
    }


def restore(tree: dict[str, Any], targets: dict[str, Any]) -> TargetMap:
    """The map whose `state` gave these, with the targets that it left out."""
    return TargetMap(
        map=DualRidge(**tree["map"]),
        targets={**tree.get("targets", {}), **targets},
        means=tree["means"],
        gains=tree["gains"],
    )
