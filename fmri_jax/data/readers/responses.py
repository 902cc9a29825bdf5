"""The response of each trial: from scans by delayed mean or model, or from a file of betas."""

import dataclasses
import math

import numpy as np

from fmri_jax.data.readers import glm as models
from fmri_jax.data.readers import glmsingle
from fmri_jax.data.readers.delayed_mean import delayed_means
from fmri_jax.data.readers.masks import Masks
from fmri_jax.data.readers.nifti_files import opened
from fmri_jax.data.readers.runs import Run, run_timing
from fmri_jax.data.readers.timing import Timing
from fmri_jax.data.readers.volumes import read_scans
from fmri_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class ResponseConfig:
    """How a trial's response is taken from scans.

    Attributes:
        response: "mean" or "glm".
        delay: s from an event to its response, of "mean".
        repetition_time: s, where the user has decided; 0: what the files state.
        glm: of "glm".
    """

    response: str = "mean"
    delay: float = 5.0
    repetition_time: float = 0.0
    glm: models.GLMConfig = models.GLMConfig()

    def __post_init__(self) -> None:
        """Checks every option.

        Raises:
            InputError: one is unknown, or belongs to the other response.
        """
        if self.response not in ("mean", "glm"):
            raise InputError(f"response is {self.response!r}: expected 'mean' or 'glm'.")
        if not math.isfinite(self.delay):
            raise InputError(f"delay is {self.delay}: expected a number of seconds, such as 5.")
        if not (math.isfinite(self.repetition_time) and self.repetition_time >= 0):
            raise InputError(
                f"repetition_time is {self.repetition_time}: expected a number of seconds, such as "
                "2.0, or 0 for what the files state."
            )
        plain = models.GLMConfig()
        given = [
            field.name
            for field in dataclasses.fields(plain)
            if getattr(self.glm, field.name) != getattr(plain, field.name)
        ]
        if self.response == "mean" and given:
            raise InputError(
                f"{given[0]} is given with response='mean', which has none: expected it with "
                "response='glm'; add that or leave it out."
            )
        if self.response == "glm" and self.glm.estimator == "glmsingle":
            glmsingle.check_installed()


def estimate(runs: list[Run], masks: Masks, config: ResponseConfig) -> list[np.ndarray]:
    """The responses of each run's trials that show an image.

    One run is in memory at a time, but with GLMsingle, which takes all.

    Returns:
        (trials, voxels) float32 of each run.

    Raises:
        InputError: a file is corrupt, or volumes, times and events do not fit.
    """
    if config.response == "glm" and config.glm.estimator == "glmsingle":
        read = [_scans(run, masks, config) for run in runs]
        return glmsingle.betas(
            [scans for scans, _ in read], [run.shown for run in runs], [t for _, t in read]
        )
    return [_of_run(run, masks, config) for run in runs]


def _of_run(run: Run, masks: Masks, config: ResponseConfig) -> np.ndarray:
    path = run.volumes.path
    if not run.volumes.is_betas:
        scans, timing = _scans(run, masks, config)
        if config.response == "glm":
            return models.betas(scans, run.shown, timing, config.glm, path)
        return delayed_means(scans, run.shown, timing, config.delay, path)
    if config.response == "glm":
        raise InputError(
            f"{path} holds response estimates: expected scans for response='glm'; leave it out."
        )
    estimates = read_scans(path, opened(path), masks)
    if len(estimates) != len(run.events):
        raise InputError(
            f"{path} holds {len(estimates)} volumes for {len(run.events)} rows of its events "
            "table: expected one row per volume."
        )
    return estimates[[bool(event.stimulus) for event in run.events]]


def _scans(run: Run, masks: Masks, config: ResponseConfig) -> tuple[np.ndarray, Timing]:
    """(volumes, voxels) of a run, and when they were taken."""
    image = opened(run.volumes.path)
    scans = read_scans(run.volumes.path, image, masks)
    return scans, run_timing(run, image, config.repetition_time)
