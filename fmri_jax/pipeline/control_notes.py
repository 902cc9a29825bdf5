"""What a run's controls and samples say, as notes."""

import math

import numpy as np

from fmri_jax.evaluation import registry
from fmri_jax.evaluation.baselines import BASELINES
from fmri_jax.evaluation.notes import Note
from fmri_jax.evaluation.results import Results
from fmri_jax.pipeline.rows import Rows
from fmri_jax.report.text.text_format import joined

_METRIC = "identification_2way"
_SPREAD = "spread of samples"  # twice the standard deviation, as methods show it


def of_run(results: Results, rows: Rows) -> list[Note]:
    """One note of the controls that the method has made, one of the spread of its samples."""
    return [*_of_controls(results, rows), *_of_samples(rows)]


def _of_controls(results: Results, rows: Rows) -> list[Note]:
    """How well the controls are identified; the prior alone must be at chance."""
    made = [name for name in results.baselines if BASELINES[name].control]
    scores = {
        n: results.baselines[n][_METRIC].value for n in made if _METRIC in results.baselines[n]
    }
    if not scores or _METRIC not in results.test:
        return []
    metric, chance = registry.metric(_METRIC), results.chance.get(_METRIC, 0.5)
    parts = [f"{BASELINES[name].label} {metric.text(value)}" for name, value in scores.items()]
    own = metric.text(results.test[_METRIC].value)
    luck = 2 / math.sqrt(12 * max(len(np.unique(rows.main_test_set().stimulus)), 1))
    text = (
        f"Controls, by pairwise identification: this method {own}, {joined(parts)}, chance "
        f"{metric.text(chance)} (by luck up to {metric.text(luck)} more or less)."
    )
    if "prior_samples" in scores:
        text += (
            " The prior alone knows nothing of the target: it must be at chance, and what its "
            "pictures score in other metrics any picture of this prior scores."
        )
    return [Note("controls", "info", text, {**scores, "chance": chance})]


def _of_samples(rows: Rows) -> list[Note]:
    """How far the samples of one image differ."""
    test = rows.main_test_set()
    if _SPREAD not in test.beside:
        return []
    spread = float(np.sqrt(np.mean((test.beside[_SPREAD] / 2) ** 2)))
    text = (
        "Samples of one image differ in a pixel by a standard deviation of "
        f"{spread:.3f} (of a range of 1): where they differ, the prior has filled in what the "
        "responses left open."
    )
    return [Note("samples", "info", text, {"standard_deviation": spread})]
