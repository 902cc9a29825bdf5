"""Ridge from voxels to a layer of any size: block by block, kept in a folder, resumed if killed.

Units are solved in blocks, each one safetensors file, written under another name until complete.
A block depends on nothing but its own targets, so that a resumed run ends with the same numbers,
and layers can be fitted at once by several computers, which may round responses and targets
differently.
For VGG19's conv1_1, 3.2 million units of 500 voxels, this takes 10 GB on disk.
"""

import math
import pathlib
from typing import Any

import numpy as np
from absl import logging
from jax.sharding import Mesh
from safetensors.numpy import load_file

from fmri_jax.errors import InputError
from fmri_jax.files import locked, place, remove_unfinished
from fmri_jax.linear.feature_ridge import all_voxels, selected
from fmri_jax.linear.feature_ridge.fitted import UNITS, Options
from fmri_jax.linear.feature_ridge.responses import Responses, Targets, read
from fmri_jax.linear.feature_ridge.stored import MAP, MOMENT, StoredRidge, save
from fmri_jax.linear.target_batches import for_solving

SKETCHES = 8  # sums by which responses and targets are recognised


def fit_layer(
    responses: Responses,
    targets: Targets,
    folder: str | pathlib.Path,
    *,
    units: int | None = None,
    options: Options | None = None,
    block: int = UNITS,
    most_bytes: int = 8 * 2**30,
    mesh: Mesh | None = None,
) -> StoredRidge:
    """Fits a layer into a folder; a folder with finished blocks of the same fit is completed.

    Args:
        responses: of `prepare`, for all layers.
        targets: (stimuli, ...) array, such as a memory map, of which one block at a time is read;
            or a function of the first and the last unit (exclusive) that returns their targets
            (stimuli, units).
        folder: of this layer.
        units: how many there are, where `targets` is a function.
        options: voxels and penalty; those of `FeatureRidge` by default.
        block: units per file.
        most_bytes: memory that the fit may take beside the responses' own.
        mesh: mesh with an axis 'data' that the units of a block are split over.

    Raises:
        InputError: more memory is needed than allowed, the folder holds another fit, or targets
            cannot be used.
    """
    options, folder, mesh = options or Options(), place(folder), for_solving(mesh)
    if callable(targets):
        if units is None:
            raise InputError("targets is a function and units is None: say how many there are.")
    else:
        units = math.prod(targets.shape[1:])
    needed = memory(responses, options, block)
    text = f"{units:,} units in blocks of {block:,} need {needed / 2**30:.1f} GiB of memory"
    if needed > most_bytes:
        raise InputError(
            f"{text}, and most_bytes allows {most_bytes / 2**30:.1f}: use fewer voxels (a region), "
            "or smaller blocks."
        )
    logging.info("%s, and up to %.1f GB in %s", text, _stored(options, units) / 1e9, folder)
    folder.mkdir(parents=True, exist_ok=True)
    stored = StoredRidge(folder, units, block)
    try:
        with locked(folder / ".lock"):
            remove_unfinished(folder)
            stored.claim(_identity(responses, targets, units, options, block))
            if options.selects(responses):
                _fit_blocks(stored, responses, targets, options, mesh)
            else:
                _fit_map(stored, responses, targets, options, mesh)
    except BlockingIOError:
        raise InputError(
            f"{folder} is being written by another process: wait for it, or choose another folder."
        ) from None
    return stored


def _fit_blocks(
    stored: StoredRidge,
    responses: Responses,
    targets: Targets,
    options: Options,
    mesh: Mesh | None,
) -> None:
    left = [span for span in stored.spans() if not stored.path(span[0]).exists()]
    if not left:
        return
    problem = options.pose(responses, mesh)
    narrow = np.uint16 if responses.rows.shape[1] <= 2**16 else np.int32
    for start, stop in left:
        model = selected.solve(problem, read(targets, responses.shown, start, stop), mesh)
        arrays = model._replace(indices=model.indices.astype(narrow))._asdict()
        save(stored.path(start), arrays)


def _fit_map(
    stored: StoredRidge,
    responses: Responses,
    targets: Targets,
    options: Options,
    mesh: Mesh | None,
) -> None:
    if (stored.folder / MAP).exists():
        return
    stimuli, path = len(responses.shown), stored.folder / MOMENT
    moment, done = np.zeros((stimuli, stimuli), np.float32), 0
    if options.chooses(responses) and path.exists():
        arrays = load_file(path)
        moment, done = arrays["moment"], int(arrays["units"])
    for start, stop in stored.spans() if options.chooses(responses) else ():
        if start >= done:
            values = read(targets, responses.shown, start, stop)
            moment = moment + all_voxels.second_moment(values, responses, mesh)
            save(path, {"moment": moment, "units": np.asarray(stop)})
    map_ = options.map_of(responses, moment)
    more = {"shown": responses.shown, "repeats": responses.repeats}
    save(stored.folder / MAP, map_._asdict() | more)
    path.unlink(missing_ok=True)


def memory(responses: Responses, options: Options, block: int = UNITS) -> int:
    """Bytes that fitting takes at its peak, beside the responses' own."""
    trials, voxels = responses.rows.shape
    stimuli = len(responses.shown)
    if not options.selects(responses):
        side = min(trials, voxels)
        return 4 * (3 * side**2 + 3 * trials * (voxels + stimuli) + 4 * stimuli * (block + stimuli))
    k = int(options.n_voxels or 0)
    at_once = selected.GATHERED + 4 * selected.TOGETHER * (3 * voxels + 6 * k)
    return 4 * (2 * voxels**2 + block * (4 * stimuli + 6 * k)) + at_once


def _stored(options: Options, units: int) -> int:
    return units * (6 * options.n_voxels + 4) if options.n_voxels else 0


def _identity(
    responses: Responses, targets: Targets, units: int, options: Options, block: int
) -> dict[str, Any]:
    """What must be the same for two runs to share blocks."""
    first = read(targets, responses.shown, 0, min(block, units))
    arrays = (responses.rows, responses.mean, responses.scale, responses.group, responses.shown)
    return {
        "units": units,
        "block": block,
        "n_voxels": options.n_voxels,
        "alpha": np.ravel(options.alpha).tolist(),
        "standardise": responses.standardise,
        "responses": [number for array in arrays for number in _sketch(array)],
        "first targets": _sketch(first),
    }


def _sketch(array: np.ndarray) -> list[float]:
    """Numbers by which an array is recognised even if rounded differently.

    Its norm, and sums of its values under random signs as shares of the norm: other values change
    these as much as they change the array, rounding hardly.
    """
    rows = np.asarray(array, np.float64).reshape(len(array), -1)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (SKETCHES, sum(rows.shape)))
    left, right = signs[:, : len(rows)], signs[:, len(rows) :]
    norm = float(np.linalg.norm(rows))
    sums = np.einsum("ij,ij->i", left @ rows, right) / (norm or 1)
    return [float(np.log1p(norm)), *sums.tolist()]
