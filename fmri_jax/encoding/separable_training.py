"""Training of a separable readout by gradient descent: mask and channels of all voxels at once.

The loss is a sum over voxels that share nothing, so that each voxel keeps the weights of the step
at which its own error on held-out stimuli was least.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fmri_jax.arrays import of_own_types
from fmri_jax.encoding.options import Options
from fmri_jax.encoding.separable import SeparableReadout

BATCH = 64  # stimuli per step
EVERY = 25  # steps between looks at the held-out stimuli

Params = dict[str, dict[str, jax.Array]]  # space and channels -> layer -> (voxels, ...)


class _State(NamedTuple):
    params: Params
    optimiser: optax.OptState
    kept: Params  # of each voxel's best step
    errors: jax.Array  # (voxels,) on held-out stimuli at that step


def fit(
    maps: Mapping[str, np.ndarray], responses: np.ndarray, folds: np.ndarray, options: Options
) -> tuple[SeparableReadout, np.ndarray]:
    """Trains on all folds but the first, which says when each voxel stops.

    Args:
        maps: layer -> (stimuli, h, w, c).
        responses: (stimuli, voxels), of about unit variance.
        folds: (stimuli,) 0 for those that are held out.
        options: `n_steps`, `learning_rate`, `sparsity`, `seed`.

    Returns:
        The readout, and (stimuli, voxels) predictions of stimuli held out, nan in other rows.
    """
    train, held_out = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    units = {layer: _unit(found[train]) for layer, found in maps.items()}
    scaled = {
        layer: jnp.asarray((found - units[layer][0]) / units[layer][1], jnp.float32)
        for layer, found in maps.items()
    }
    mean = responses[train].mean(axis=0)
    target = jnp.asarray(responses - mean, jnp.float32)
    inside, outside = (
        ({layer: found[rows] for layer, found in scaled.items()}, target[rows])
        for rows in (train, held_out)
    )
    key = jax.random.key(options.seed)
    params = _start(jax.random.fold_in(key, 0), scaled, responses.shape[1])
    adam = _adam(options.learning_rate)
    infinite = jnp.full(responses.shape[1], jnp.inf)
    state = of_own_types(_State(params, adam.init(params), params, infinite))
    for number in range(-(-options.n_steps // EVERY)):
        steps = min(EVERY, options.n_steps - number * EVERY)
        key_ = jax.random.fold_in(key, number + 1)
        state = _advance(state, inside, outside, key_, adam, steps, options.sparsity)
        jax.block_until_ready(state)
    readout = _in_units(state.kept, units, mean)
    left_out = np.full(responses.shape, np.nan, np.float32)
    left_out[held_out] = readout.predict(
        {name: jnp.asarray(m[held_out]) for name, m in maps.items()}
    )
    return readout, left_out


@functools.cache
def _adam(learning_rate: float) -> optax.GradientTransformation:
    """One object for all fits, as programs are compiled for it."""
    return optax.adam(learning_rate)


def _unit(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each channel, and its deviation times the square root of their number; (c,) each."""
    mean, deviation = maps.mean(axis=(0, 1, 2)), maps.std(axis=(0, 1, 2))
    silent = deviation <= 1e-6 * np.abs(mean) + 1e-12
    return mean, np.where(silent, np.inf, deviation) * np.sqrt(maps.shape[-1])


def _start(key: jax.Array, maps: dict[str, jax.Array], voxels: int) -> Params:
    """Even masks; channels near 0, of random signs so that they can part."""
    space, channels = {}, {}
    for number, (layer, found) in enumerate(maps.items()):
        cells, width = int(np.prod(found.shape[1:3])), found.shape[-1]
        space[layer] = jnp.full((voxels, cells), 1 / cells)
        noise = jax.random.normal(jax.random.fold_in(key, number), (voxels, width))
        channels[layer] = 1e-3 * noise
    return {"space": space, "channels": channels}


@functools.partial(jax.jit, static_argnames=("adam", "steps"))
def _advance(
    state: _State,
    inside: tuple[dict[str, jax.Array], jax.Array],
    outside: tuple[dict[str, jax.Array], jax.Array],
    key: jax.Array,
    adam: optax.GradientTransformation,
    steps: int,
    sparsity: float,
) -> _State:
    """Some steps of training, then a look at the held-out stimuli."""
    maps, target = inside

    def step(carry: tuple[Params, optax.OptState], step_key: jax.Array):
        params, optimiser = carry
        rows = _rows(step_key, len(target))
        batch = {layer: found[rows] for layer, found in maps.items()}
        gradients = jax.grad(_loss)(params, batch, target[rows], sparsity)
        updates, optimiser = adam.update(gradients, optimiser, params)
        return (optax.apply_updates(params, updates), optimiser), None

    (params, optimiser), _ = jax.lax.scan(
        step, (state.params, state.optimiser), jax.random.split(key, steps)
    )
    errors = jnp.mean((_predicted(params, outside[0]) - outside[1]) ** 2, axis=0)
    better = errors < state.errors
    kept = jax.tree.map(lambda new, old: jnp.where(better[:, None], new, old), params, state.kept)
    return _State(params, optimiser, kept, jnp.minimum(errors, state.errors))


def _rows(key: jax.Array, stimuli: int) -> jax.Array:
    """The stimuli of one step."""
    return jax.random.choice(key, stimuli, (min(BATCH, stimuli),), replace=False)


def _loss(
    params: Params, maps: dict[str, jax.Array], target: jax.Array, sparsity: float
) -> jax.Array:
    """Squared error summed over voxels, and the absolute values of mask and channels."""
    errors = jnp.sum(jnp.mean((_predicted(params, maps) - target) ** 2, axis=0))
    return errors + sparsity * sum(jnp.sum(jnp.abs(each)) for each in jax.tree.leaves(params))


def _predicted(params: Params, maps: dict[str, jax.Array]) -> jax.Array:
    nothing = jnp.zeros(0)
    return SeparableReadout(**params, bias=jnp.zeros(()), fields=nothing, alphas=nothing).respond(
        maps
    )


def _in_units(
    params: Params, units: dict[str, tuple[np.ndarray, np.ndarray]], mean: np.ndarray
) -> SeparableReadout:
    """The readout of maps as they come, from that of scaled ones."""
    channels, bias = {}, jnp.asarray(mean, jnp.float32)
    for layer, (centre, unit) in units.items():
        channels[layer] = params["channels"][layer] / unit.astype(np.float32)
        total = params["space"][layer].sum(axis=1)
        bias -= total * (channels[layer] @ centre.astype(np.float32))
    none = jnp.zeros((0, 3)), jnp.zeros(0)
    return SeparableReadout(params["space"], channels, bias, *none)
