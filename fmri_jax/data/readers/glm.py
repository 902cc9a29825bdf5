"""Single-trial betas: the response of each trial by a general linear model of its run.

The design matrix (haemodynamic response, drift) is nilearn's, the confounds are fMRIPrep's as
nilearn loads them, and the fit is ordinary least squares, as `FirstLevelModel(noise_model="ols")`.

    lsa  least squares all: one model per run, one regressor per trial.
    lss  least squares separate (Mumford et al. 2012, doi:10.1016/j.neuroimage.2011.08.076): one
         model per trial, whose other trials share a regressor. Steadier where responses overlap.
"""

import dataclasses
import pathlib
import warnings
from typing import Any

import numpy as np

from fmri_jax.data.readers.events import Event
from fmri_jax.data.readers.timing import Timing
from fmri_jax.errors import InputError

HRF_MODELS = tuple(
    f"{name}{more}"
    for name in ("glover", "spm")
    for more in ("", " + derivative", " + derivative + dispersion")
)
DRIFT_MODELS = ("cosine", "polynomial", "none")
STRATEGIES = (
    "motion", "high_pass", "wm_csf", "global_signal", "compcor", "ica_aroma", "tedana", "scrub",
    "non_steady_state",
)  # fmt: skip
_UNSEEN = 1e-3  # share of the largest response of a run below which a trial's is not in the scans
_ESTIMABLE = 1e-6  # how far a trial's estimate may depend on others


@dataclasses.dataclass(frozen=True)
class GLMConfig:
    """How single-trial betas are estimated."""

    estimator: str = "lss"  # "lsa", "lss" or "glmsingle"
    hrf_model: str = "glover"  # of HRF_MODELS
    drift_model: str = "cosine"  # of DRIFT_MODELS
    high_pass: float = 0.01  # Hz, below which "cosine" takes drift away
    confounds: str = ""  # of STRATEGIES, separated by commas

    def __post_init__(self) -> None:
        """Checks every option.

        Raises:
            InputError: one is not among what is known.
        """
        known = {
            "estimator": ("lsa", "lss", "glmsingle"),
            "hrf_model": HRF_MODELS,
            "drift_model": DRIFT_MODELS,
        }
        for option, values in known.items():
            if getattr(self, option) not in values:
                raise InputError(
                    f"{option} is {getattr(self, option)!r}: expected one of {', '.join(values)}."
                )
        if unknown := [name for name in self.strategy if name not in STRATEGIES]:
            raise InputError(
                f"confounds names {unknown[0]!r}: expected some of {', '.join(STRATEGIES)}, "
                "separated by commas."
            )
        if not 0 < self.high_pass < 1:
            raise InputError(f"high_pass is {self.high_pass} Hz: expected one such as 0.01.")

    @property
    def strategy(self) -> list[str]:
        """The groups of confounds."""
        return [name.strip() for name in self.confounds.split(",") if name.strip()]


def betas(
    scans: np.ndarray, events: list[Event], timing: Timing, config: GLMConfig, path: pathlib.Path
) -> np.ndarray:
    """The response of each trial, in the units of the scans.

    Args:
        scans: (volumes, voxels) float32.
        events: the rows that show an image.
        timing: of the volumes.
        config: how to estimate.
        path: of the volumes, beside which fMRIPrep's confounds lie.

    Returns:
        (events, voxels) float32.

    Raises:
        InputError: the responses of trials cannot be told apart, or confounds are missing.
    """
    confounds, kept = _confounds(path, config, len(scans))
    design, names = _design(events, timing, config, confounds)
    weights = _weights(design[kept], names, config.estimator, events, path)
    return (weights @ scans[kept]).astype(np.float32)


def _design(
    events: list[Event], timing: Timing, config: GLMConfig, confounds: Any
) -> tuple[np.ndarray, list[str]]:
    """nilearn's (volumes, columns) of a run, a condition per trial; and the columns' names."""
    import pandas
    from nilearn.glm.first_level import make_first_level_design_matrix

    table = pandas.DataFrame(
        {
            "onset": [event.onset for event in events],
            "duration": [event.duration for event in events],
            "trial_type": [_trial(i) for i in range(len(events))],
        }
    )
    with warnings.catch_warnings():  # what it warns of (no duration, late onsets) is checked below
        warnings.simplefilter("ignore")
        matrix = make_first_level_design_matrix(
            np.asarray([float(time) for time in timing.times]),
            table,
            hrf_model=config.hrf_model,
            drift_model=None if config.drift_model == "none" else config.drift_model,
            high_pass=config.high_pass,
            add_regs=confounds,
        )
    return matrix.to_numpy(), [str(name) for name in matrix.columns]


def _trial(number: int) -> str:
    return f"trial{number:06}"


def _parts(
    design: np.ndarray, names: list[str], count: int
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """The regressors of the trials, those of each derivative of their response, and the others.

    A trial of which nilearn makes no regressor, or that begins after the last volume, has zeros.
    """
    columns = {name: design[:, i] for i, name in enumerate(names)}
    own = [name for name in names if name[:5] == "trial" and name[5:11].isdigit()]

    def all_trials(ending: str) -> np.ndarray:
        empty = np.zeros(len(design))
        return np.stack([columns.get(_trial(i) + ending, empty) for i in range(count)], axis=1)

    trials = all_trials("")
    peaks = np.abs(trials).max(axis=0)
    trials[:, peaks <= _UNSEEN * peaks.max()] = 0
    more = [all_trials(ending) for ending in sorted({name[11:] for name in own} - {""})]
    return trials, more, design[:, [i for i, name in enumerate(names) if name not in own]]


def _weights(
    design: np.ndarray, names: list[str], estimator: str, events: list[Event], path: pathlib.Path
) -> np.ndarray:
    """(trials, volumes): what the scans are multiplied by."""
    trials, more, nuisance = _parts(design, names, len(events))
    if estimator == "lsa":
        whole = np.hstack([trials, *more, nuisance])
        weights = np.linalg.pinv(whole)[: len(events)]
        leaks = np.abs(weights @ trials - np.eye(len(events))).max(axis=1)
    else:
        rows = [_separate(i, trials, more, nuisance) for i in range(len(events))]
        weights = np.stack(rows)
        leaks = np.abs((weights * trials.T).sum(axis=1) - 1)
    for event, leak in zip(events, leaks, strict=True):
        if leak > _ESTIMABLE:
            raise InputError(
                f"{path}: the response to its event at {event.onset:g} s cannot be estimated: "
                "other events or nuisance regressors explain the same volumes, or the scans end "
                "before it; expected each trial to have volumes of its own: drop that row, use "
                "estimator='lss', fewer confounds, or response='mean'."
            )
    return weights


def _separate(
    trial: int, trials: np.ndarray, more: list[np.ndarray], nuisance: np.ndarray
) -> np.ndarray:
    """(volumes,) weights of one trial, where all others share a regressor."""
    own = [part[:, [trial]] for part in (trials, *more)]
    others = [np.delete(part, trial, axis=1).sum(axis=1, keepdims=True) for part in (trials, *more)]
    model = np.hstack([*own, *(others if trials.shape[1] > 1 else []), nuisance])
    return np.linalg.pinv(model)[0]


def _confounds(path: pathlib.Path, config: GLMConfig, volumes: int) -> tuple[Any, np.ndarray]:
    """fMRIPrep's (volumes, columns) confounds or None, and the indices of the volumes to keep."""
    everything = np.arange(volumes)
    if not config.strategy:
        return None, everything
    from nilearn.interfaces.fmriprep import load_confounds

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table, kept = load_confounds(str(path), strategy=config.strategy)
    except (ValueError, OSError, KeyError) as error:
        raise InputError(
            f"{path}: its confounds {', '.join(config.strategy)} cannot be loaded ({error}): "
            "expected fMRIPrep's ..._desc-confounds_timeseries.tsv and .json beside it."
        ) from None
    if len(table) != volumes:
        raise InputError(
            f"{path} holds {volumes} volumes, and its table of confounds has {len(table)} rows: "
            "expected one per volume."
        )
    return table, everything if kept is None else np.asarray(kept)
