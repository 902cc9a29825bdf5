"""Permutation test of whether one method is better than another."""

from typing import Any, NamedTuple

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.intervals import (
    Statistic,
    mean_of_sums,
    resamples,
    sums_by_stimulus,
    tails,
    with_ones,
)


class Difference(NamedTuple):
    """How much the first method scores above the second."""

    value: float
    low: float  # 95 % bootstrap interval over stimuli
    high: float
    p: float  # two-sided, from swapping the methods stimulus by stimulus; nan if value is


def compare(
    first: Any,
    second: Any,
    stimulus: Any,
    statistic: Statistic | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Difference:
    """Paired comparison of two methods on the same stimuli.

    Both methods are resampled together (bootstrap over stimuli) for the interval. For p, which
    method made which reconstruction is swapped at random for each stimulus; p is the share of
    swaps, the observed one included, that differ at least as much as observed. Resamples and swaps
    in which a score is undefined (precision where nothing was decoded as on) are left out.

    Args:
        first: (n,) per-image values; or (n, columns) of sums with a `statistic`, such as binary
            counts with `binary.f1`.
        second: the same for the other method, the same rows.
        stimulus: (n,) which stimulus each row shows.
        statistic: maps sums (..., columns) to scores (...); by default the mean.
        n_resamples: of the bootstrap and of the permutation test.
        seed: of both.

    Returns:
        The difference first minus second, its interval and its p-value; nan where undefined, and
        no interval for very few stimuli (`intervals.tails`).

    Raises:
        InputError: the two methods have different numbers of rows.

    References:
        Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses, chapter 3;
        Phipson & Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9:39 (the observed one included).
    """
    if np.shape(first) != np.shape(second):
        raise InputError(
            f"the methods have values of shape {np.shape(first)} and {np.shape(second)}: "
            "expected the same rows for both."
        )
    if statistic is None:
        first, second, statistic = with_ones(first), with_ones(second), mean_of_sums
    a, b = sums_by_stimulus(first, stimulus), sums_by_stimulus(second, stimulus)
    observed = float(statistic(a.sum(axis=0)) - statistic(b.sum(axis=0)))
    if np.isnan(observed):
        return Difference(observed, observed, observed, observed)

    drawn = resamples(len(a), n_resamples, seed)
    resampled = statistic(drawn @ a) - statistic(drawn @ b)

    swapped = np.random.default_rng(seed).integers(0, 2, (n_resamples, len(a))) @ (b - a)
    null = statistic(a.sum(axis=0) + swapped) - statistic(b.sum(axis=0) - swapped)
    p = _share_at_least(np.abs(null), abs(observed))
    return Difference(observed, *tails(resampled, len(a)), p)


def _share_at_least(null: np.ndarray, observed: float) -> float:
    """(1 + how many of null are at least observed) / (1 + how many there are), but for nan."""
    if np.isnan(observed):
        return float("nan")
    null = null[~np.isnan(null)]
    slack = 1e-9 * max(1.0, abs(observed))  # equal sums may differ by rounding
    return (1 + int(np.sum(null >= observed - slack))) / (1 + len(null))
