"""Recordings that are sound but cannot be split, selected or kept as asked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.data.readers.arrays import session_from_arrays
from fmri_jax.data.recording import Recording
from fmri_jax.datasets import cache
from tests.data.builders import Arrays, arrays
from tests.data.readers.bad_input.case import Case


def recording(**changed: np.ndarray) -> Recording:
    return session_from_arrays({**arrays(), **changed}, "my.npz")


def split(what: str, changed: Arrays, options: PreparationConfig, message: str) -> Case:
    return Case(f"folds: {what}", lambda _: list(folds(recording(**changed), options)), message)


def kept(what: str, spoil: Callable[[Path], object], message: str) -> Case:
    """The place of a prepared recording, spoilt before it is written."""

    def open_it(folder: Path) -> object:
        spoil(folder)
        return cache.prepare(recording, "mine", folder / "place" / "inside", "k")

    return Case(f"store: {what}", open_it, message)


BY_STIMULUS = PreparationConfig(split="stimulus")

CONSTANT = {"fmri": np.where(np.arange(10) < 5, 7, arrays()["fmri"])}  # in V1

CASES = [
    split("one class of stimulus only", {"stimulus": np.zeros(24)}, BY_STIMULUS, "hold 1 groups"),
    split("no test set", {}, PreparationConfig(), "names no test trials: leave groups out with"),
    split("one run", {"run": np.zeros(24)}, PreparationConfig(split="run"), "hold 1 groups"),
    split(
        "an empty ROI", {}, PreparationConfig(roi="V1 & V2"), "selects no voxel: choose among V1"
    ),
    split(
        "an unknown ROI", {}, PreparationConfig(roi="LOC"), "'LOC' does not exist .* V1, V1v, V2"
    ),
    split(
        "a region without signal",
        CONSTANT,
        PreparationConfig(roi="V1", split="stimulus"),
        "All 5 voxels of the chosen ROI are constant over the 20 training trials: .* choose anot",
    ),
    split(
        "more folds than stimuli",
        {},
        PreparationConfig(split="stimulus", n_folds=9),
        "hold 6 groups: expected at least 2 groups",
    ),
    kept(
        "a place that cannot be written",
        lambda f: (f / "place").write_text("in the way"),
        "cannot be written .*choose another one",
    ),
]
