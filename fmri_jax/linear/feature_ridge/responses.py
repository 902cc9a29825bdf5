"""What ridge needs of the training responses, prepared once for all units and layers.

Trials of one stimulus have the same targets, so that X.T @ Y needs only their sum: with 1,200
stimuli in 6,000 trials this takes a fifth of the work and is exact. X.T @ X needs every trial.

An intercept that bears the penalty like a voxel, as in fastl2lir, is eliminated: for n trials and
penalty a, with X centred, m its means, t the mean of y, it is the same as one more row sqrt(k) m
with target sqrt(k) t, k = n a / (n + a), and the intercept n / (n + a) (t - m w). Centred float32
numbers hold what a Gram matrix of recorded units would lose.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from fmri_jax.errors import InputError

ROUNDING = 4 * np.finfo(np.float32).eps  # what varies by less, relative to its size, is constant

# Targets of all stimuli for the units from start to stop: (stimuli, stop - start).
Targets = np.ndarray | Callable[[int, int], Any]


class Responses(NamedTuple):
    """Training responses, float32.

    Attributes:
        rows: (trials, voxels), (x - mean) / scale; zeros where a voxel is constant.
        sums: (stimuli, voxels), rows added up over the trials of each stimulus.
        shown: (stimuli,) rows of Y that have trials.
        group: (trials,) index into `shown`.
        repeats: (stimuli,) trials of each.
        mean: (voxels,) of the trials.
        scale: (voxels,) standard deviation (ddof 1) or, where not standardised, 1.
        length: (voxels,) Euclidean norm of `rows`, 0 for a constant voxel.
        standardise: whether units are predicted from their mean over stimuli, not from 0.
    """

    rows: np.ndarray
    sums: np.ndarray
    shown: np.ndarray
    group: np.ndarray
    repeats: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    length: np.ndarray
    standardise: bool

    @property
    def means(self) -> np.ndarray:
        """(voxels,) means of the trials in the units of `rows`, as an intercept sees them."""
        return np.zeros_like(self.mean) if self.standardise else self.mean

    def centre(self, values: np.ndarray) -> "Centred":
        """Targets (stimuli, units) of a block, less their means over trials."""
        return centre(values, self.repeats, self.standardise)

    def indicator(self) -> sparse.csr_array:
        """(trials, stimuli), 1 where a trial shows a stimulus."""
        ones, trials = np.ones(len(self.group), np.float32), np.arange(len(self.group))
        shape = (len(self.group), len(self.shown))
        return sparse.csr_array((ones, (trials, self.group)), shape)


class Centred(NamedTuple):
    """Targets of a block of units.

    Attributes:
        values: (stimuli, units) float32, less the mean over trials; exactly 0 for a dead unit.
        mean: (units,) over trials, counted from `origin`; 0 for a dead unit.
        origin: (units,) what the intercept is counted from: 0, or the mean over stimuli where
            targets are standardised; a dead unit's only value.
        alive: (units,) False for a unit that is constant within rounding.
    """

    values: np.ndarray
    mean: np.ndarray
    origin: np.ndarray
    alive: np.ndarray


def prepare(X: Any, stimulus: Any = None, standardise: bool = False) -> Responses:
    """Centres the responses and adds up the trials of each stimulus.

    Args:
        X: (trials, voxels).
        stimulus: (trials,) row of Y that each trial shows; None: one trial per row.
        standardise: whether voxels are divided by their standard deviation (ddof 1) over trials.

    Raises:
        InputError: shapes that do not fit, numbers that are not finite, or too large to square.
    """
    X = np.ascontiguousarray(X, np.float32)
    if X.ndim != 2 or len(X) < 2 or not X.shape[1]:
        raise InputError(f"X has shape {X.shape}: expected (trials, voxels), two trials or more.")
    if not np.isfinite(X).all():
        raise InputError(
            f"X holds {np.count_nonzero(~np.isfinite(X))} NaN or infinite numbers: expected finite "
            "ones; leave out the voxels or trials concerned."
        )
    shown, group = _shown(stimulus, len(X))
    mean = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = X - mean
    rows -= rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    largest, smallest = X.max(axis=0), X.min(axis=0)
    rows[:, largest - smallest <= ROUNDING * np.maximum(np.abs(largest), np.abs(smallest))] = 0
    length = np.sqrt(np.einsum("ij,ij->j", rows, rows, dtype=np.float64))
    if length.max() > 1e17:
        raise InputError(
            f"X deviates from its mean by up to {np.abs(rows).max():.1e}, too much for float32: "
            "divide the responses by a constant."
        )
    scale = np.ones_like(mean)
    if standardise:
        scale = np.where(length > 0, length / np.sqrt(len(X) - 1), 1).astype(np.float32)
        rows /= scale
    length = (length / scale).astype(np.float32)
    repeats = np.bincount(group)
    found = Responses(rows, rows, shown, group, repeats, mean, scale, length, standardise)
    return found._replace(sums=found.indicator().T @ rows)


def _shown(stimulus: Any, trials: int) -> tuple[np.ndarray, np.ndarray]:
    stimulus = np.arange(trials) if stimulus is None else np.asarray(stimulus)
    if stimulus.shape != (trials,) or stimulus.dtype.kind not in "iu" or stimulus.min() < 0:
        raise InputError(
            f"stimulus has shape {stimulus.shape} and type {stimulus.dtype}: expected ({trials},), "
            "the row of Y that each trial shows, from 0."
        )
    return np.unique(stimulus, return_inverse=True)


def read(targets: Targets, shown: np.ndarray, start: int, stop: int) -> np.ndarray:
    """The targets (stimuli, stop - start) float32 of some units.

    Raises:
        InputError: they are too few, of another shape, or not finite.
    """
    if callable(targets):
        values = np.asarray(targets(start, stop))
        if values.shape[1:] != (stop - start,):
            raise InputError(
                f"targets({start}, {stop}) returned {values.shape}: expected (stimuli, "
                f"{stop - start})."
            )
    else:
        values = targets.reshape(len(targets), -1)[:, start:stop]
    if len(values) <= shown[-1]:
        raise InputError(
            f"the targets have {len(values)} rows and stimulus goes up to {shown[-1]}: give one "
            "row per stimulus, or without `stimulus` one per trial."
        )
    values = np.asarray(values[shown] if len(shown) < len(values) else values, np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"targets of units {start} to {stop} hold NaN or infinite numbers.")
    return values


def centre(values: np.ndarray, repeats: np.ndarray, standardise: bool) -> Centred:
    """Takes the means off the targets (stimuli, units) of a block; see `Responses` for the rest."""
    largest, smallest = values.max(axis=0), values.min(axis=0)
    alive = largest - smallest > ROUNDING * np.maximum(np.abs(largest), np.abs(smallest))
    mean = (repeats / repeats.sum()) @ values
    origin = values.mean(axis=0, dtype=np.float64) if standardise else np.zeros(len(mean))
    origin = np.where(alive, origin, values[0])
    centred = np.where(alive, values - mean, 0).astype(np.float32)
    return Centred(centred, np.where(alive, mean - origin, 0), origin, alive)
