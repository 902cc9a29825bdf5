"""Single-trial betas by GLMsingle (Prince et al. 2022, doi:10.7554/eLife.77599), if installed.

Its three steps, over all runs of a recording at once: a haemodynamic response per voxel from a
library, noise regressors found by cross-validation, and ridge regression with a fraction per voxel.
It needs images that are shown more than once.
"""

import tempfile
from typing import Any

import numpy as np

from fmri_jax.data.readers.events import Event
from fmri_jax.data.readers.timing import Timing, seconds
from fmri_jax.errors import InputError


def check_installed() -> Any:
    """The class `GLM_single`.

    Raises:
        InputError: the package is not installed.
    """
    try:
        from glmsingle.glmsingle import GLM_single
    except ImportError:
        raise InputError(
            "estimator='glmsingle' needs the package GLMsingle, which is not installed: install it "
            "from https://github.com/cvnlab/GLMsingle, or use estimator='lss'."
        ) from None
    return GLM_single


def betas(
    scans: list[np.ndarray], events: list[list[Event]], timings: list[Timing]
) -> list[np.ndarray]:
    """The response of each trial, in per cent of each voxel's mean.

    Args:
        scans: (volumes, voxels) float32 of each run.
        events: of each run, the rows that show an image.
        timings: of each run.

    Returns:
        (events, voxels) float32 of each run.

    Raises:
        InputError: the package is not installed, or runs differ in repetition time or events in
            duration.
    """
    model = check_installed()
    steps = {timing.step for timing in timings}
    durations = {seconds(event.duration) for rows in events for event in rows}
    for what, values in (("repetition times", steps), ("durations of events", durations)):
        if len(values) > 1:
            raise InputError(
                f"GLMsingle takes one value for all runs, and these have the {what} "
                f"{', '.join(f'{float(v):g}' for v in sorted(values))} s: expected one; use "
                "estimator='lss'."
            )
    names = sorted({event.stimulus for rows in events for event in rows})
    designs, orders = [], []
    for volumes, rows, timing in zip(scans, events, timings, strict=True):
        at = [timing.nearest(seconds(event.onset)) for event in rows]
        design = np.zeros((len(volumes), len(names)))
        design[at, [names.index(event.stimulus) for event in rows]] = 1
        if design.sum() < len(rows):
            raise InputError(
                "Two events of one image begin in the same volume: expected events at least one "
                "volume apart for GLMsingle; use estimator='lss'."
            )
        designs.append(design)
        orders.append(np.argsort(np.argsort(at, kind="stable")))
    with tempfile.TemporaryDirectory() as folder:
        options = {"wantfileoutputs": [0, 0, 0, 0], "wantmemoryoutputs": [0, 0, 0, 1]}
        found = model(options).fit(
            designs,
            [volumes.T for volumes in scans],
            float(durations.pop()),
            float(steps.pop()),
            outputdir=folder,
            figuredir=folder,
        )
    estimates = np.asarray(found["typed"]["betasmd"])
    estimates = estimates.reshape(-1, estimates.shape[-1]).T.astype(np.float32)
    ends = np.cumsum([len(rows) for rows in events])[:-1]
    return [part[order] for part, order in zip(np.split(estimates, ends), orders, strict=True)]
