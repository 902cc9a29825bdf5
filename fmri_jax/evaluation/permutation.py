"""Permutation tests of whether one method is better than others, paired by stimulus.

Swaps tell how far a difference depends on the images that were tested. Methods also depend on those
that they were trained on: other training images, or other responses to them, make other decoders,
and of several folds each test image trains the decoders of all others. A mean over n images that
varies by v / n over images varies by about v (1 / n + 1 / m) where m images train. What training
adds is drawn from resamples of the same differences, `training_share` times as wide.
"""

import functools
import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.intervals import (
    LEAST_STIMULI,
    Statistic,
    ends,
    mean_of_sums,
    sums_by_stimulus,
    with_ones,
)

Key = TypeVar("Key")


class Difference(NamedTuple):
    """How much the first method scores above the second."""

    value: float
    low: float  # 95 % interval over stimuli
    high: float
    p: float  # two-sided, from swapping the methods stimulus by stimulus; nan if value is
    # The same over all comparisons that were made together (`together`); nan where it was alone.
    adjusted: float = float("nan")


class Null(NamedTuple):
    """Differences that there would be if the two methods were alike."""

    differences: np.ndarray  # (swaps,), nan where a score is undefined
    exact: bool  # whether these are all that there are, the observed one among them

    def p(self, observed: float) -> float:
        """The share of them that differ at least as much as observed."""
        return _share_at_least(np.abs(self.differences), abs(observed), self.exact)


class Swaps(NamedTuple):
    """What a paired comparison rests on: its result and the differences of swapped methods."""

    difference: Difference
    nulls: tuple[Null, ...]  # over images, and over training data as well; the larger p counts


def compare(
    first: Any,
    second: Any,
    stimulus: Any,
    statistic: Statistic | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    training: float = 0.0,
) -> Difference:
    """Paired comparison of two methods on the same stimuli.

    For the interval (`intervals.ends`) each stimulus is left out for both methods together. For p,
    which method made which reconstruction is swapped for each stimulus: in all ways where there are
    at most `n_resamples`, else at random; p is the share of swaps, the observed one included, that
    differ at least as much as observed. The least p of five stimuli is therefore 1/16, whatever
    training adds. Swaps in which a score is undefined (precision where nothing was decoded as on)
    are left out.

    Args:
        first: (n,) per-image values; or (n, columns) of sums with a `statistic`, such as binary
            counts with `binary.f1`.
        second: the same for the other method, the same rows.
        stimulus: (n,) which stimulus each row shows, or which group of dependent ones.
        statistic: maps sums (..., columns) to scores (...); by default the mean.
        n_resamples: the number of swaps.
        seed: of the swaps.
        training: how far differences vary with the training data, in units of how far they vary
            over images (`training_share`); 0 compares two sets of answers as they are. With it no p
            is exact.

    Returns:
        The difference first minus second, its interval and its p-value; nan where undefined, and
        no interval for very few stimuli.

    Raises:
        InputError: the two methods have different numbers of rows.

    References:
        Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses, chapter 3;
        Phipson & Smyth (2010), Stat. Appl. Genet. Mol. Biol. 9:39 (the observed one included).
    """
    return swaps(first, second, stimulus, statistic, n_resamples, seed, training).difference


def training_share(n_tested: float, n_trained: float) -> float:
    """How far a difference of methods varies with their training, where it varies by 1 over images.

    Args:
        n_tested: test stimuli, of all folds together.
        n_trained: training stimuli of each fold; 0 where they are not known.

    Returns:
        sqrt(n / m); 0 where m is not known.

    References:
        Nadeau & Bengio (2003), "Inference for the generalization error", Machine Learning 52:239,
        the corrected resampled t-test; Bates, Hastie & Tibshirani (2024), JASA 119:1434 (without
        such a correction intervals of cross-validation are too short).
    """
    return math.sqrt(n_tested / n_trained) if n_trained > 0 else 0.0


def swaps(
    first: Any,
    second: Any,
    stimulus: Any,
    statistic: Statistic | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    training: float = 0.0,
) -> Swaps:
    """As `compare`, with the differences of all swaps; the same seed swaps the same stimuli."""
    if np.shape(first) != np.shape(second):
        raise InputError(
            f"the methods have values of shape {np.shape(first)} and {np.shape(second)}: "
            "expected the same rows for both."
        )
    if statistic is None:
        first, second, statistic = with_ones(first), with_ones(second), mean_of_sums
    a, b = sums_by_stimulus(first, stimulus), sums_by_stimulus(second, stimulus)
    total_a, total_b = a.sum(axis=0), b.sum(axis=0)
    observed = float(statistic(total_a) - statistic(total_b))
    swapped, exact = _which(len(a), n_resamples, seed)
    if np.isnan(observed):
        undefined = Difference(observed, observed, observed, observed)
        return Swaps(undefined, (Null(np.full(len(swapped), np.nan), exact),))
    low = high = float("nan")
    if len(a) >= LEAST_STIMULI:
        without = statistic(total_a - a) - statistic(total_b - b)
        wider = math.sqrt(1 + training**2)
        low, high = (observed + wider * (end - observed) for end in ends(without, observed))
    moved = swapped @ (b - a)
    null = statistic(total_a + moved) - statistic(total_b - moved)
    nulls = [Null(null, exact)]
    if training:
        first, second = np.random.default_rng(seed + 1).integers(len(null), size=(2, n_resamples))
        nulls.append(Null(null[first] + training * null[second], False))
    p = max(each.p(observed) for each in nulls)
    return Swaps(Difference(observed, low, high, p), tuple(nulls))


def together(comparisons: Mapping[Key, Swaps]) -> dict[Key, Difference]:
    """The comparisons with p-values that hold for all of them together.

    Each difference is taken in units of its standard deviation over swaps, and compared with the
    greatest of all such differences in each swap: scores that go together, such as two networks'
    identification, count little more than one of them, as no correction for their number alone
    would have it.

    Args:
        comparisons: of the same stimuli, with the same seed and number of swaps.

    References:
        Westfall & Young (1993), Resampling-Based Multiple Testing, chapter 2 (single-step maxT).
    """
    known = {k: found for k, found in comparisons.items() if np.isfinite(found.difference.value)}
    adjusted = dict.fromkeys(known, 0.0)
    for kind in range(max((len(found.nulls) for found in known.values()), default=0)):
        nulls = {key: found.nulls[min(kind, len(found.nulls) - 1)] for key, found in known.items()}
        observed = {key: found.difference.value for key, found in known.items()}
        for key, p in _adjusted(nulls, observed).items():
            adjusted[key] = max(adjusted[key], p)
    return {
        key: found.difference._replace(adjusted=adjusted[key]) if key in known else found.difference
        for key, found in comparisons.items()
    }


def _adjusted(nulls: Mapping[Key, Null], observed: Mapping[Key, float]) -> dict[Key, float]:
    """The p of each comparison by the greatest difference of each swap; 1 where none differs."""
    scaled = {}
    for key, null in nulls.items():
        differences = np.nan_to_num(null.differences)
        spread = float(np.sqrt(np.mean(differences**2)))
        if spread > 0:
            scaled[key] = (np.abs(differences) / spread, abs(observed[key]) / spread)
    found = dict.fromkeys(nulls, 1.0)
    if scaled:
        greatest = np.max([differences for differences, _ in scaled.values()], axis=0)
        for key, (_, value) in scaled.items():
            found[key] = _share_at_least(greatest, value, nulls[key].exact)
    return found


@functools.lru_cache(maxsize=2)  # a page asks for the same some hundred times
def _which(n_stimuli: int, n_resamples: int, seed: int) -> tuple[np.ndarray, bool]:
    """(swaps, stimuli) of 0 and 1, which stimuli are swapped, and whether these are all ways."""
    exact = 2**n_stimuli <= n_resamples
    if exact:
        ways = np.array(list(itertools.product((0.0, 1.0), repeat=n_stimuli)))
    else:
        drawn = np.random.default_rng(seed).integers(0, 2, (n_resamples, n_stimuli))
        ways = drawn.astype(np.float64)
    ways.flags.writeable = False
    return ways, exact


def _share_at_least(null: np.ndarray, observed: float, exact: bool) -> float:
    """Which share of null is at least observed, but for nan; observed included, if not exact."""
    if np.isnan(observed):
        return float("nan")
    null = null[~np.isnan(null)]
    slack = 1e-9 * max(1.0, abs(observed))  # equal sums may differ by rounding
    as_far = int(np.sum(null >= observed - slack))
    return as_far / len(null) if exact else (1 + as_far) / (1 + len(null))
