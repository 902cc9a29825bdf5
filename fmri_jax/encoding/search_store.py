"""Searches of banded ridge that were made before, in the cache folder.

The search depends on the training trials alone. Runs of the same folds and seed with more or fewer
unlabelled photographs, parts of a fit in other processes and resumed runs have it in common.
"""

import contextlib
import hashlib
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from fmri_jax import arrays as computing
from fmri_jax import digests
from fmri_jax.archives import CorruptError, read_npz
from fmri_jax.encoding import banded_ridge, best_ridge
from fmri_jax.encoding.banded_ridge import Solution
from fmri_jax.errors import InputError
from fmri_jax.files import cache_folder, replacing, set_aside
from fmri_jax.linear import left_out


def search(
    kernels: jnp.ndarray,
    responses: jnp.ndarray,
    candidates: np.ndarray,
    alphas: np.ndarray,
    folds: np.ndarray,
) -> Solution:
    """As `banded_ridge.search`, whose solution is read where the same was searched before."""
    given = (kernels, responses, candidates, alphas, folds)
    path = _path(*(np.asarray(array) for array in given))
    if (found := _read(path)) is not None:
        return found
    solution = banded_ridge.search(*given)
    _write(path, solution)
    return solution


def _path(*given: np.ndarray) -> pathlib.Path | None:
    """The file of a search, named by all that it depends on; None without a cache folder."""
    code = digests.of_code(banded_ridge, best_ridge, left_out, computing)
    name = hashlib.sha256(f"{code} {jax.__version__}".encode())
    for array in given:
        name.update(f"{array.dtype} {array.shape}".encode())
        name.update(np.ascontiguousarray(array).data)
    try:
        return cache_folder() / "encodings" / f"{name.hexdigest()[:32]}.npz"
    except InputError:
        return None


def _read(path: pathlib.Path | None) -> Solution | None:
    if path is None or not path.is_file():
        return None
    try:
        arrays = read_npz(path)
        return Solution(**{name: jnp.asarray(arrays[name]) for name in Solution._fields})
    except (OSError, CorruptError, KeyError):
        logging.warning("%s is damaged: its encoding model is fitted again.", path)
        with contextlib.suppress(OSError):  # a cache that is read-only, or another process did
            set_aside(path)
        return None


def _write(path: pathlib.Path | None, solution: Solution) -> None:
    """Keeps a solution; a folder that cannot be written is done without."""
    if path is None:
        return
    arrays = {name: np.asarray(array) for name, array in solution._asdict().items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    except OSError as error:
        logging.warning("%s was not written (%s).", path, error)
