"""How well decoded features match the true ones: profile, pattern, identification, ceiling.

The scores of feature-decoding papers, as bdpy.evals.metrics computes them. Layers have up to
millions of units: sums are taken in float64 over blocks of them. A unit that never varies has no
correlation; it is left out and counted.

References:
    Horikawa & Kamitani (2017), Nat. Commun. 8:15037 (profile correlation, identification);
    Shen, Horikawa, Majima & Kamitani (2019), PLoS Comput. Biol. 15:e1006633.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.intervals import Score, interval

BLOCK = 65_536  # units whose float64 copies are held at a time
RESOLUTION = 1e-6  # of float32: a spread below this share of the mean is rounding
TIE = 1e-9  # correlations closer than this are tied


class Profile(NamedTuple):
    """Correlation of each unit over images."""

    correlation: np.ndarray  # (units that vary,) in the order of the units
    varies: np.ndarray  # (units,) bool

    @property
    def left_out(self) -> int:
        """How many units never vary, truly or as they were decoded."""
        return int(np.sum(~self.varies))


def profile_correlation(true: Any, decoded: Any) -> Profile:
    """Pearson correlation of each unit over images.

    Args:
        true: (n, ...) true features of n images.
        decoded: the same shape.

    Returns:
        The correlations of those units that vary in both.

    Raises:
        InputError: shapes differ.
    """
    true, decoded = _rows(true, decoded)
    values = [
        _pearson(len(x), *_moments(x - x.mean(axis=0), y - y.mean(axis=0), axis=0))
        for x, y in _blocks(true, decoded)
    ]
    used = np.concatenate([_varies(x) & _varies(y) for x, y in _blocks(true, decoded)])
    return Profile(np.concatenate(values)[used], used)


def mean_profile(true: Any, decoded: Any, stimulus: Any, with_interval: bool = True) -> Score:
    """Mean profile correlation over units, with its 95 % interval over stimuli.

    Meant for a sample of units: of k units 5 k sums are held for each stimulus.

    Args:
        true: (n, ...) true features of n images or trials.
        decoded: the same shape.
        stimulus: (n,) which stimulus each row shows.
        with_interval: whether there is to be one, which takes most of the time.

    Returns:
        The mean over units that vary, NaN where none does.
    """
    true, decoded = _rows(true, decoded)
    used = _varies(true) & _varies(decoded)
    x, y = (rows[:, used].astype(np.float64) for rows in (true, decoded))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    columns = np.concatenate([x, y, x * x, y * y, x * y, np.ones((len(x), 1))], axis=1)

    def statistic(sums: np.ndarray) -> np.ndarray:
        parts = np.split(sums[..., :-1], 5, axis=-1)
        correlation = _pearson(sums[..., -1:], *parts)
        known = np.isfinite(correlation)  # without one of few stimuli a unit may not vary
        total = np.sum(np.where(known, correlation, 0), axis=-1)
        return np.where(known.any(axis=-1), total, np.nan) / np.maximum(known.sum(axis=-1), 1)

    if not with_interval:
        return Score(float(statistic(columns.sum(axis=0))))
    return interval(columns, statistic, stimulus)


def pattern_correlation(true: Any, decoded: Any, mean: Any, deviation: Any) -> np.ndarray:
    """Pearson correlation of each image over units, which training has standardised.

    Args:
        true: (n, ...) true features.
        decoded: the same shape.
        mean: (...) of each unit over the training images.
        deviation: (...) its standard deviation there. Units that never vary do not count.

    Returns:
        (n,) float64; 0 where a pattern is the same in all units.

    Raises:
        InputError: shapes differ.
    """
    true, decoded = _rows(true, decoded)
    mean, deviation = (np.asarray(part, np.float64).reshape(1, -1) for part in (mean, deviation))
    totals, units = np.zeros((5, len(true))), 0
    for x, y, centre, scale in _blocks(true, decoded, mean, deviation):
        used = varies(centre[0], scale[0])
        x, y = ((part[:, used] - centre[:, used]) / scale[:, used] for part in (x, y))
        totals += _moments(x, y, axis=1)
        units += int(used.sum())
    return np.nan_to_num(_pearson(units, *totals))


def training_statistics(features: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each unit over training images: (m, ...) -> (...), twice."""
    features = np.asarray(features)
    rows, shape = features.reshape(len(features), -1), features.shape[1:]
    parts = [(block.mean(axis=0), block.std(axis=0)) for (block,) in _blocks(rows)]
    mean, deviation = (np.concatenate(part).reshape(shape) for part in zip(*parts, strict=True))
    return mean, deviation


def varies(mean: Any, deviation: Any) -> np.ndarray:
    """Whether a unit of this mean and standard deviation differs between images, (...) bool."""
    return np.asarray(deviation) > RESOLUTION * np.abs(mean)


def identification(true: Any, decoded: Any, stimulus: Any = None) -> np.ndarray:
    """How often decoded features correlate more with their own image than with another one.

    The mean over the other images of [r(own) > r(other)], over the units of the layer as they are:
    a tie is no success. Trials of one stimulus are no distractors of each other.

    Args:
        true: (n, ...) true features.
        decoded: the same shape.
        stimulus: (n,) which stimulus each row shows; None: each another one.

    Returns:
        (n,) float64 in [0, 1]; chance is 1/2.

    Raises:
        InputError: shapes differ, or there is one stimulus only.
    """
    true, decoded = _rows(true, decoded)
    stimulus = np.arange(len(true)) if stimulus is None else np.asarray(stimulus)
    _, first, own = np.unique(stimulus, return_index=True, return_inverse=True)
    if len(first) < 2:
        raise InputError(
            "identification found one stimulus: expected at least two, one to tell from another."
        )
    r = np.nan_to_num(_cross_correlation(decoded, true[first]))
    lead = r[np.arange(len(r)), own][:, None] - r
    return np.sum(lead > TIE, axis=1) / (len(first) - 1)


def _cross_correlation(decoded: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """(n, m) correlations over units of all rows with all candidates."""
    n, m, units = len(decoded), len(candidates), decoded.shape[1]
    of_decoded, of_candidates, products = np.zeros((2, n, 1)), np.zeros((2, 1, m)), np.zeros((n, m))
    for x, y in _blocks(decoded, candidates):
        of_decoded += np.stack([x.sum(axis=1), (x * x).sum(axis=1)])[:, :, None]
        of_candidates += np.stack([y.sum(axis=1), (y * y).sum(axis=1)])[:, None, :]
        products += x @ y.T
    (x, xx), (y, yy) = of_decoded, of_candidates
    return _pearson(units, x, y, xx, yy, products)


def repeat_ceiling(repeats: Any) -> np.ndarray:
    """Noise ceiling of each unit: mean correlation between repeats over images, at least 0.

    By the length of the sum of the R repeats, each centred and of length 1: its square is R plus
    the sum of all R (R - 1) correlations.

    Args:
        repeats: (repeats, n, ...) values of units, or of voxels, in each repeat of n images.

    Returns:
        (...) float64 in [0, 1]; 0 for a unit that never varies.

    Raises:
        InputError: there are fewer than two repeats.
    """
    repeats = np.asarray(repeats)
    n_repeats, n, *shape = repeats.shape
    if n_repeats < 2:
        raise InputError(f"the noise ceiling found {n_repeats} repeat: expected at least two.")
    ceilings = []
    for (block,) in _blocks(repeats.reshape(n_repeats * n, -1)):
        parts = block.reshape(n_repeats, n, -1)
        z = parts - parts.mean(axis=1, keepdims=True)
        used = np.stack([_varies(part) for part in parts])[:, None]
        length = np.linalg.norm(z, axis=1, keepdims=True)
        z = np.where(used, z / np.where(used, length, 1), 0)
        pairs = np.sum(z.sum(axis=0) ** 2, axis=0) - np.sum(z**2, axis=(0, 1))
        ceilings.append(np.maximum(pairs / (n_repeats * (n_repeats - 1)), 0))
    return np.concatenate(ceilings).reshape(shape)


def normalised(profile: Profile, ceiling: Any) -> Profile:
    """Profile correlations relative to the noise ceiling of each unit, r / ceiling.

    Args:
        profile: of `profile_correlation`.
        ceiling: (...) of `repeat_ceiling`. Units whose ceiling is 0 are left out, too.
    """
    ceiling = np.asarray(ceiling, np.float64).ravel()
    kept = ceiling[profile.varies] > 0
    used = profile.varies & (ceiling > 0)
    return Profile(profile.correlation[kept] / ceiling[used], used)


def _rows(true: Any, decoded: Any) -> tuple[np.ndarray, np.ndarray]:
    true, decoded = np.asarray(true), np.asarray(decoded)
    if true.shape != decoded.shape or true.ndim < 2 or 0 in true.shape:
        raise InputError(
            f"true features have shape {true.shape} and decoded ones {decoded.shape}: expected the "
            "same, (images, units), none 0."
        )
    return true.reshape(len(true), -1), decoded.reshape(len(true), -1)


def _blocks(*rows: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Float64 copies of (n, units) arrays, some units at a time."""
    for start in range(0, rows[0].shape[1], BLOCK):
        yield tuple(array[:, start : start + BLOCK].astype(np.float64) for array in rows)


def _varies(rows: np.ndarray) -> np.ndarray:
    """(units,) whether a unit of (n, units) differs between images by more than rounding."""
    return varies(rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64))


def _moments(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    """(5, ...) sums of x, y, x^2, y^2 and x y."""
    return np.stack([part.sum(axis=axis) for part in (x, y, x * x, y * y, x * y)])


def _pearson(n: Any, x: Any, y: Any, xx: Any, yy: Any, xy: Any) -> np.ndarray:
    """Correlations from sums over n values, NaN where one of the two does not vary."""
    n = np.maximum(n, 1)
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    known = (spread_x > RESOLUTION**2 * xx) & (spread_y > RESOLUTION**2 * yy)
    scale = np.sqrt(np.where(known, spread_x * spread_y, 1))
    return np.where(known, (xy - x * y / n) / scale, np.nan)
