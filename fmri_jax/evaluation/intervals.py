"""Intervals over stimuli: bootstrap of many, Student's t of few.

Trials of one stimulus are not independent evidence, so stimuli are resampled, never rows. Every
score here is a function of sums over images (a mean is a sum of values over a sum of ones, F1 a
ratio of summed counts), so all resamples together are one product: how often each stimulus was
drawn (resamples, stimuli) times the sums of each stimulus (stimuli, columns).
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from fmri_jax.errors import InputError

Statistic = Callable[[np.ndarray], np.ndarray]  # (..., columns) sums -> (...) scores
LEAST_STIMULI = 5  # the range of four values misses their median once in eight times
# Below, intervals are Student's: a bootstrap of five values errs in 8 % on one side where 2.5 %
# are meant.
FEW_STIMULI = 20


class Score(NamedTuple):
    """A score and its 95 % interval over stimuli; NaN where undefined or not known."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def within(self, limits: tuple[float, float]) -> "Score":
        """The same with an interval that ends where no score can be: Student's does not know."""
        if not self.has_interval:
            return self
        return Score(self.value, max(self.low, limits[0]), min(self.high, limits[1]))


def bootstrap(
    columns: Any,
    statistic: Statistic,
    stimulus: Any,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Score:
    """95 % interval, over stimuli, of a score computed from sums over images.

    Of at least `FEW_STIMULI` stimuli percentiles of the resampled scores, a little further out
    (`tails`); of fewer Student's interval (`student`). Resamples in which the score is undefined
    (precision where nothing was decoded as on) are left out. Identification scores keep their
    distractors: what is resampled is the own image. Of few stimuli whose scores are nearly all 0 or
    all 1 any interval says too little: 20 of them, of which one in twenty scores 1, have bootstrap
    intervals that hold the truth 65 times in a hundred.

    Args:
        columns: (n, columns) what is summed, one row per image.
        statistic: maps sums (..., columns) to scores (...).
        stimulus: (n,) which stimulus each row shows, or which group of dependent ones.
        n_bootstrap: number of resamples; 0 gives no interval (low and high are nan).
        seed: of the resampling; the same seed gives the same resamples.

    Returns:
        The score of all rows and its interval; without one (low and high are nan) where there are
        fewer than `LEAST_STIMULI` stimuli, the score is undefined, or no stimulus scores otherwise
        than the others: that all 50 were right does not say that all others would be.

    Raises:
        InputError: `stimulus` has another length than `columns`.

    References:
        Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13;
        Hesterberg (2015), The American Statistician 69:371 (the expanded percentiles).
    """
    sums = sums_by_stimulus(columns, stimulus)
    value = float(statistic(sums.sum(axis=0)))
    if not n_bootstrap or len(sums) < LEAST_STIMULI:
        return Score(value)
    if len(sums) < FEW_STIMULI:
        low, high = student(statistic(sums.sum(axis=0) - sums), value)
    else:
        low, high = tails(statistic(resamples(len(sums), n_bootstrap, seed) @ sums), len(sums))
    return Score(value, low, high) if low < high else Score(value)


def student(without: np.ndarray, value: float) -> tuple[float, float]:
    """Ends of Student's 95 % interval from the jackknife, nan where there can be none.

    Of a mean of single values it is the interval of the t-test; of a ratio of sums, such as F1 or
    the mean over groups of unequal size, its standard error is the jackknife's.

    Args:
        without: (stimuli,) the score without each stimulus.
        value: the score of all.

    References:
        Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.
    """
    n = len(without)
    if n < LEAST_STIMULI or not np.isfinite([*without, value]).all():
        return float("nan"), float("nan")
    error = np.sqrt((n - 1) / n * np.sum((without - without.mean()) ** 2))
    reach = float(special.stdtrit(n - 1, 0.975) * error)
    return value - reach, value + reach


def tails(resampled: np.ndarray, n_stimuli: int) -> tuple[float, float]:
    """Ends of a 95 % interval from the scores of resamples, nan where there can be none.

    A resample of n values varies by the factor sqrt((n - 1) / n) too little, and its percentiles
    are those of a normal distribution where Student's is due. The percentiles taken are those that
    repair both for a mean: the shares of a normal distribution beyond sqrt(n / (n - 1)) times
    Student's quantile.
    """
    resampled = resampled[~np.isnan(resampled)]
    if n_stimuli < LEAST_STIMULI or not len(resampled):
        return float("nan"), float("nan")
    student = special.stdtrit(n_stimuli - 1, 0.975)
    share = special.ndtr(-student * np.sqrt(n_stimuli / (n_stimuli - 1)))
    low, high = np.quantile(resampled, (share, 1 - share))
    return float(low), float(high)


def mean_interval(values: Any, stimulus: Any, n_bootstrap: int = 1000, seed: int = 0) -> Score:
    """Mean of per-image values with its 95 % interval over stimuli; see `bootstrap`.

    Args:
        values: (n,) one value per image.
        stimulus: (n,) which stimulus each row shows.
        n_bootstrap: number of resamples.
        seed: of the resampling.
    """
    return bootstrap(with_ones(values), mean_of_sums, stimulus, n_bootstrap, seed)


@functools.lru_cache(maxsize=2)  # a page asks for the same some hundred times
def resamples(n_stimuli: int, n_bootstrap: int, seed: int) -> np.ndarray:
    """How often each stimulus is drawn in each resample, (n_bootstrap, n_stimuli) float64."""
    shares = np.full(n_stimuli, 1 / n_stimuli)
    draws = np.random.default_rng(seed).multinomial(n_stimuli, shares, size=n_bootstrap)
    found = draws.astype(np.float64)
    found.flags.writeable = False
    return found


def sums_by_stimulus(columns: Any, stimulus: Any) -> np.ndarray:
    """Sums the rows of each stimulus: (n, columns), (n,) -> (stimuli, columns) float64."""
    columns, stimulus = np.asarray(columns, np.float64), np.asarray(stimulus)
    if columns.ndim != 2 or stimulus.shape != columns.shape[:1]:
        raise InputError(
            f"stimulus has shape {stimulus.shape} and the values {columns.shape}: "
            "expected one stimulus per row of values."
        )
    _, group = np.unique(stimulus, return_inverse=True)
    sums = np.zeros((group.max(initial=-1) + 1, columns.shape[1]))
    np.add.at(sums, group, columns)
    return sums


def with_ones(values: Any) -> np.ndarray:
    """Values (n,) beside ones, (n, 2): their sums give the mean by `mean_of_sums`."""
    values = np.asarray(values, np.float64)
    return np.stack([values, np.ones_like(values)], axis=-1)


def mean_of_sums(sums: np.ndarray) -> np.ndarray:
    """(..., 2) sums of values and of ones -> (...) means."""
    return sums[..., 0] / sums[..., 1]
