"""Scores by the width of a bottleneck: what is drawn, and between which lines."""

import types

from fmri_jax.evaluation.feature_results import FeatureResults
from fmri_jax.evaluation.intervals import Score
from fmri_jax.report.comparison import widths
from fmri_jax.report.figures.theme import LIGHT

METRIC = "identification_2way"


def variant(name: str, width: int | None, value: float):
    """As `widths` sees a variant."""
    scores = types.SimpleNamespace(
        baselines={"ridge": {METRIC: Score(0.8)}, "prior_samples": {METRIC: Score(0.49)}},
        features=FeatureResults({}, {METRIC: Score(0.99)}),
    )
    run = types.SimpleNamespace(preparation={"bottleneck": width}, scores=scores)
    test = {METRIC: Score(value, value - 0.05, value + 0.05)}
    return types.SimpleNamespace(name=name, first=run, scores={"test": test})


def test_scores_stand_over_the_width_between_floor_and_ceiling(tmp_path) -> None:
    variants = [variant("All voxels", None, 0.9), variant("ten", 10, 0.85), variant("two", 2, 0.7)]
    found = widths.by_width(variants)
    assert [(k, v.name) for k, v in found] == [(2, "two"), (10, "ten")]
    lines = {label: value for label, value, *_ in widths._bounds(variants, found, METRIC, LIGHT)}
    assert lines == {
        "all voxels": 0.9,
        "floor: prior alone": 0.49,
        "ceiling: from true features": 0.99,
    }
    path = tmp_path / "widths.png"
    drawn = widths.chart(variants, [METRIC], path, "Simulated data")
    assert drawn is not None and "2: 70.0 %, 10: 85.0 %" in drawn.alt and path.exists()
    assert widths.chart(variants[:2], [METRIC], path, "") is None and not path.exists()
