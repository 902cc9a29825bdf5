"""95 % intervals over stimuli: Student's, with the skewness of the scores taken out.

Trials of one stimulus are not independent evidence, so stimuli are left out, never rows. Every
score here is a function of sums over images (a mean is a sum of values over a sum of ones, F1 a
ratio of summed counts): the scores without each stimulus in turn, from which intervals come, are
that function of all sums minus those of the stimulus.
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
# From here on medians over voxels have bootstrap intervals: below, those err in 8 % on one side
# where 2.5 % are meant.
FEW_STIMULI = 20
# The inverse of Hall's transformation takes a cube root, of this number at least. At 0 it is
# steepest: one far value of twenty would carry an end to seven standard errors, though so few say
# little of their skewness. With this an end is two and a half of Student's reaches off at most.
LEAST_CUBE = 0.02


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
        """The same with an interval that ends where no score can be."""
        if not self.has_interval:
            return self
        return Score(self.value, max(self.low, limits[0]), min(self.high, limits[1]))


def interval(columns: Any, statistic: Statistic, stimulus: Any) -> Score:
    """A score computed from sums over images, with its 95 % interval over stimuli.

    Identification scores keep their distractors: what varies is the own image.

    Args:
        columns: (n, columns) what is summed, one row per image.
        statistic: maps sums (..., columns) to scores (...).
        stimulus: (n,) which stimulus each row shows, or which group of dependent ones.

    Returns:
        The score of all rows and its interval (`ends`); without one (low and high are nan) where
        there are fewer than `LEAST_STIMULI` stimuli, the score is undefined (precision where
        nothing was decoded as on), if only without one of them, or no stimulus scores otherwise
        than the others: that all 50 were right does not say that all others would be.

    Raises:
        InputError: `stimulus` has another length than `columns`.
    """
    sums = sums_by_stimulus(columns, stimulus)
    total = sums.sum(axis=0)
    value = float(statistic(total))
    if len(sums) < LEAST_STIMULI:
        return Score(value)
    low, high = ends(statistic(total - sums), value)
    return Score(value, low, high) if low < high else Score(value)


def ends(without: np.ndarray, value: float) -> tuple[float, float]:
    """Ends of a 95 % interval from the scores without each stimulus, nan where there can be none.

    Student's interval of a mean lies too far up where scores are skewed downwards, as shares near 1
    are: of ten values of Beta(5, 1) it lies above the mean in 7 % instead of 2.5 %. Hall's cubic
    transformation takes the skewness out of Student's ratio. The interval is longer on the side of
    the few far values, and Student's own where these balance. One degree of freedom goes into the
    skewness, which is limited: beyond, one far value would decide. Of other scores than means, such
    as F1 or the mean over groups of unequal size, each stimulus counts by what the score loses
    without it (the jackknife).

    Args:
        without: (stimuli,) the score without each stimulus.
        value: the score of all.

    References:
        Hall (1992), J. R. Stat. Soc. B 54:221 (the transformation); Efron & Tibshirani (1993), An
        Introduction to the Bootstrap, chapter 11 (the jackknife).
    """
    n = len(without)
    if n < LEAST_STIMULI or not np.isfinite([*without, value]).all():
        return float("nan"), float("nan")
    effect = (n - 1) * (without.mean() - without)  # of each stimulus, for a mean: its deviation
    error = math.sqrt(np.sum(effect**2) / (n * (n - 1)))
    if error <= 1e-12 * max(1.0, abs(value)):  # but for rounding, no stimulus counts for more
        return value, value
    reach = float(special.stdtrit(n - 2, 0.975))
    second, third = np.mean(effect**2), np.mean(effect**3)
    skewness = third / second**1.5 * math.sqrt(n * (n - 1)) / (n - 2)
    most = 3 * math.sqrt(n) * (math.sqrt(reach**2 + (1 - LEAST_CUBE) * 2 / 3) - reach)
    skewness = min(max(skewness, -most), most)  # 1 + 3 bend (reach - shift) is LEAST_CUBE or more
    bend, shift = skewness / (3 * math.sqrt(n)), skewness / (6 * math.sqrt(n))

    def ratio(quantile: float) -> float:
        """Student's ratio t whose transform t + bend t² + bend² t³ / 3 + shift is the quantile."""
        if abs(bend) < 1e-6:
            return quantile
        return float(np.cbrt(1 + 3 * bend * (quantile - shift)) - 1) / bend

    return value - ratio(reach) * error, value - ratio(-reach) * error


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


def mean_interval(values: Any, stimulus: Any) -> Score:
    """Mean of per-image values with its 95 % interval over stimuli; see `interval`.

    Args:
        values: (n,) one value per image.
        stimulus: (n,) which stimulus each row shows.
    """
    return interval(with_ones(values), mean_of_sums, stimulus)


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
