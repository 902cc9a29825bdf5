"""Units that are decoded from voxels of their own, as published: 500 each, penalty 100.

A layer that is small enough is solved in memory. A larger one, such as VGG19's first with its 3.2
million units, is solved block by block into the run's folder, where its decoder then stays.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from jax.sharding import Mesh

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.linear.feature_ridge import FittedRidge, Options, StoredRidge, fit_layer, prepare
from fmri_jax.linear.feature_ridge import fitted as ridges
from fmri_jax.methods.feature_decoding.config import Config

LARGEST_IN_MEMORY = 2**19  # units, of 500 coefficients and indices: 2 GB
N_INNER = 5  # folds of stimuli for predictions of stimuli that were left out

Own = FittedRidge | StoredRidge


def solve(
    trials: Trials,
    rows: np.ndarray,
    targets: np.ndarray,
    config: Config,
    folder: pathlib.Path | None,
    mesh: Mesh | None = None,
    kept: bool = False,
) -> Own:
    """Fits one layer on single trials.

    Args:
        trials: training trials.
        rows: (stimuli,) the stimuli of `targets`, rising.
        targets: (stimuli, ...) features.
        config: voxels and penalty.
        folder: where blocks of a large layer are kept; None where no file outlives the fit. Blocks
            that are there already are not computed again, of a small layer neither.
        mesh: devices that units are split over; None for one.
        kept: whether a small layer is kept in the folder, too.

    Raises:
        InputError: the layer is large and there is no folder.
    """
    responses = prepare(trials.fmri, np.searchsorted(rows, trials.stimulus), standardise=True)
    options = Options(config.n_voxels, config.alpha or 100.0)
    large = targets[0].size > LARGEST_IN_MEMORY
    if folder is None:
        if large:
            raise InputError(
                f"a layer has {targets[0].size:,} units with voxels of their own, and an estimator "
                f"holds {LARGEST_IN_MEMORY:,} at most: leave n_voxels at None, choose smaller "
                "layers, or run an experiment, which keeps them in its folder."
            )
    elif large or (options.selects(responses) and (kept or StoredRidge.is_begun(folder))):
        stored = fit_layer(responses, targets, folder, options=options, mesh=mesh)
        return stored if large else stored.in_memory(targets.shape[1:], float(options.alpha))
    return ridges.fit(responses, targets, options, mesh)


def predict(fitted: Own, fmri: np.ndarray, targets: Any) -> np.ndarray:
    """Responses (n, voxels) -> (n, ...), from the fit of `targets` (stimuli, ...)."""
    fmri = np.asarray(fmri, np.float32)
    if isinstance(fitted, StoredRidge):
        found: Any = fitted.predict(fmri, np.asarray(targets))
    else:
        found = fitted.predict(fmri)
    return np.asarray(found).reshape(len(fmri), *targets.shape[1:])


def left_out(
    trials: Trials,
    rows: np.ndarray,
    targets: np.ndarray,
    config: Config,
    folder: pathlib.Path | None,
    mesh: Mesh | None = None,
    kept: bool = False,
) -> np.ndarray:
    """Predictions (stimuli, ...) of averaged responses by fits without the fold of the stimulus.

    Arguments and errors as `solve`.
    """
    found = np.empty_like(targets)
    for number, out in enumerate(_folds(len(rows))):
        rest = ~out
        inside = trials.take(np.flatnonzero(np.isin(trials.stimulus, rows[rest])))
        place = folder and folder / str(number)
        fitted = solve(inside, rows[rest], targets[rest], config, place, mesh, kept)
        fmri = np.stack([trials.fmri[trials.stimulus == s].mean(axis=0) for s in rows[out]])
        found[out] = predict(fitted, fmri, targets[rest])
    return found


def _folds(n: int) -> Iterator[np.ndarray]:
    fold = np.random.default_rng(0).permutation(n) % min(N_INNER, n)
    for number in range(fold.max() + 1):
        yield fold == number


def state(own: dict[str, Own]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays "layer/name" of all layers, and what else `restore` needs."""
    arrays: dict[str, np.ndarray] = {}
    options: dict[str, Any] = {}
    for layer, fitted in own.items():
        if isinstance(fitted, StoredRidge):
            options[layer] = {"folder": str(fitted.folder.resolve())}
            continue
        found, options[layer] = fitted.state()
        arrays |= {f"{layer}/{name}": array for name, array in found.items()}
    return arrays, options


def restore(arrays: dict[str, Any], options: dict[str, Any]) -> dict[str, Own]:
    """The layers whose `state` gave these.

    Raises:
        InputError: the folder of a large layer is not there any more.
    """
    own: dict[str, Own] = {}
    for layer, known in options.items():
        if "folder" in known:
            own[layer] = StoredRidge.open(known["folder"])
            continue
        mine = {
            name.removeprefix(f"{layer}/"): array
            for name, array in arrays.items()
            if name.startswith(f"{layer}/")
        }
        own[layer] = FittedRidge.restore(mine, known)
    return own
