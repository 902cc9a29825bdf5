"""How well responses are predicted: correlations of voxels, their ceilings, medians of regions.

Predictions of all folds are correlated together. Both sides count from the mean of the fold's
training stimuli: a constant prediction then correlates with nothing, instead of negatively, as the
mean of training is low where that of the fold left out is high.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.intervals import (
    FEW_STIMULI,
    Score,
    ends,
    resamples,
    sums_by_stimulus,
    tails,
)

# Share of explainable variance from which a voxel counts in medians: division by the ceiling of one
# that holds next to nothing but noise gives any number.
LEAST_EXPLAINABLE = 0.1
FALSE_DISCOVERIES = 0.05  # rate at which voxels are called predicted
_BLOCK = 256  # voxels whose resamples are held at a time


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Measured and predicted responses of stimuli that were left out.

    Attributes:
        measured: (rows, voxels), about the mean of each fold's training stimuli.
        predicted: model -> the same.
        stimulus: (rows,) which stimulus each row shows.
        explainable: (voxels,) share of the measured variance that is signal, from repeats; None
            where no stimulus was repeated.
        groups: (rows,) which rows depend on one another, such as the frames of a movie: they are
            resampled together; None: those of one stimulus.
    """

    measured: np.ndarray
    predicted: Mapping[str, np.ndarray]
    stimulus: np.ndarray
    explainable: np.ndarray | None
    groups: np.ndarray | None = None

    @property
    def units(self) -> np.ndarray:
        """(rows,) the independent unit of each: its group, or its stimulus."""
        return self.stimulus if self.groups is None else self.groups

    @property
    def n_units(self) -> int:
        """How many independent stimuli or groups there are."""
        return len(np.unique(self.units))

    @property
    def ceiling(self) -> np.ndarray:
        """(voxels,) the highest correlation that a perfect model reaches; 1 where not known."""
        if self.explainable is None:
            return np.ones(self.measured.shape[1])
        return np.sqrt(self.explainable)

    @property
    def counted(self) -> np.ndarray:
        """(voxels,) which of them count in medians over voxels."""
        if self.explainable is None:
            return self.measured.std(axis=0) > 0
        return self.explainable >= LEAST_EXPLAINABLE


def correlations(found: Predictions) -> dict[str, np.ndarray]:
    """Model -> (voxels,) correlation of predicted with measured responses, not normalised."""
    return {
        model: _correlation(_sums(found.measured, predicted).sum(axis=0))
        for model, predicted in found.predicted.items()
    }


def normalised(correlation: np.ndarray, found: Predictions) -> np.ndarray:
    """(voxels,) correlations over their ceilings; nan for voxels that do not count."""
    ceiling = np.where(found.counted, found.ceiling, np.nan)
    return correlation / ceiling


def predicted_voxels(correlation: np.ndarray, n_units: int) -> np.ndarray:
    """(voxels,) whether each is predicted above chance, 5 % of these falsely.

    Student's test of a correlation, one-sided, of `n_units` independent stimuli or groups (those of
    one group count as one), corrected by Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57:289.
    """
    from scipy import stats  # slow to import

    if n_units < 4:
        return np.zeros(len(correlation), bool)
    r = np.clip(correlation, -1 + 1e-12, 1 - 1e-12)
    t = r * np.sqrt((n_units - 2) / (1 - r**2))
    p = stats.t.sf(t, n_units - 2)
    return stats.false_discovery_control(p) <= FALSE_DISCOVERIES


def medians(
    found: Predictions, regions: Mapping[str, np.ndarray], n_bootstrap: int, seed: int = 0
) -> dict[str, dict[str, np.ndarray]]:
    """Median normalised correlation of each region by each model, with resamples over units.

    Args:
        found: predictions; their units are resampled.
        regions: name -> (voxels,) bool.
        n_bootstrap: resamples.
        seed: of them; all models and regions share them, so that differences are paired.

    Returns:
        Region -> model -> the median, followed by its resamples (of fewer than `FEW_STIMULI`
        units: its values without each of them); nan where no voxel counts.
    """
    n_stimuli = len(np.unique(found.stimulus))
    if n_stimuli < 3:
        raise InputError(f"{n_stimuli} stimuli were left out: expected at least 3 to correlate.")
    n = found.n_units
    weights = [np.ones((1, n))]
    if 1 < n < FEW_STIMULI:
        weights.append(1 - np.eye(n))
    elif n >= FEW_STIMULI:
        weights.append(resamples(n, n_bootstrap, seed))
    drawn = np.concatenate(weights)
    values: dict[str, dict[str, np.ndarray]] = {name: {} for name in regions}
    for model, predicted in found.predicted.items():
        correlation = _resampled(found, predicted, drawn)
        for name, mask in regions.items():
            inside = mask & found.counted
            ratio = correlation[:, inside] / found.ceiling[inside]
            values[name][model] = (
                np.median(ratio, axis=1) if inside.any() else np.full(len(drawn), np.nan)
            )
    return values


def interval(values: np.ndarray, n_units: int) -> Score:
    """A value and its resamples, as `medians` gives them, as a score with a 95 % interval."""
    value, others = float(values[0]), values[1:]
    if not np.isfinite(value):
        return Score(value)
    few = n_units < FEW_STIMULI
    return Score(value, *(ends(others, value) if few else tails(others, n_units)))


def _resampled(found: Predictions, predicted: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(resamples, voxels) correlations."""
    parts = []
    for start in range(0, found.measured.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        sums = _sums(found.measured[:, block], predicted[:, block])
        resampled = drawn @ sums_by_stimulus(sums.reshape(len(sums), -1), found.units)
        parts.append(_correlation(resampled.reshape(len(drawn), *sums.shape[1:])))
    return np.concatenate(parts, axis=1)


def _sums(measured: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(rows, 6, voxels) whose sums over rows give correlations."""
    y, p = measured.astype(np.float64), predicted.astype(np.float64)
    return np.stack([np.ones_like(y), y, p, y * y, p * p, y * p], axis=1)


def _correlation(sums: np.ndarray) -> np.ndarray:
    """(..., 6, voxels) -> (..., voxels); 0 where either side does not vary."""
    n, y, p, yy, pp, yp = np.moveaxis(sums, -2, 0)
    across = np.maximum(yy - y * y / n, 0) * np.maximum(pp - p * p / n, 0)
    varies = across > 1e-20 * np.maximum(yy * pp, 1e-300)
    return np.where(varies, (yp - y * p / n) / np.sqrt(np.where(varies, across, 1)), 0)


def best_two(of_region: Mapping[str, np.ndarray], layers: Sequence[str]) -> tuple[str, str] | None:
    """The layers of the highest and second highest median; None where there are not two."""
    known = [layer for layer in layers if np.isfinite(of_region[layer][0])]
    if len(known) < 2:
        return None
    ranked = sorted(known, key=lambda layer: -float(of_region[layer][0]))
    return ranked[0], ranked[1]


def as_json(score: Score) -> dict[str, Any]:
    """A score as plain JSON values."""
    number = {"value": score.value, "low": score.low, "high": score.high}
    return {name: value if np.isfinite(value) else None for name, value in number.items()}
