"""Decoded features on the page: a table of layers, the recovered images, and imagery apart."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmri_jax.evaluation import registry
from fmri_jax.evaluation.feature_results import SCORES, SetResults
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.scores import chance
from fmri_jax.report import tables
from fmri_jax.report.figures import feature_charts, pictures
from fmri_jax.report.figures.pictures import Gallery, Picture, Stack
from fmri_jax.report.io.workdir import Workdir
from fmri_jax.report.rendering import Chart, draw
from fmri_jax.report.tables import Cell, Row, Table
from fmri_jax.report.text.text_format import count

_UNKNOWN = Score(math.nan)
_MOST = 16  # recovered images that are shown


def sections(run: Workdir, mark: str) -> dict[str, Any]:
    """What the page shows of decoded features, and of imagery; None for what a run has not.

    Args:
        run: the run.
        mark: what its figures say in a corner.
    """
    found = run.scores.features
    seen = found.sets.get(run.main) if found else None
    imagined = next(iter(run.imagined_sets), "")
    decoded = found.sets.get(imagined) if found and imagined else None
    return {
        "features": _decoded(run, seen, "", mark) if seen else None,
        "recovered": recovered(run),
        "imagery": _imagery(run, imagined, decoded, mark) if imagined else None,
    }


def _decoded(run: Workdir, found: SetResults, prefix: str, mark: str) -> dict[str, Any]:
    """Table and charts of one test set."""
    units = run.scores.features.units if run.scores.features else {}
    folder = run.path / "figures"
    charts: dict[str, Chart] = {
        "layers": draw(
            folder / f"{prefix}features.png",
            "Scores of each decoded layer with their intervals, beside the best prediction in the "
            "span of the training features and chance; the same numbers stand in the table above.",
            functools.partial(feature_charts.layers, found),
            mark,
            run.words,
        )
    }
    if len(found.regions) > 1:
        charts["regions"] = draw(
            folder / f"{prefix}feature_regions.png",
            "Feature identification by layer and region, each value in print: "
            + "; ".join(_in_words(region, layers) for region, layers in found.regions.items()),
            functools.partial(feature_charts.regions, found),
            mark,
            run.words,
        )
    return {"table": table(found, units), "charts": charts, "metrics": SCORES.values()}


def _in_words(region: str, layers: dict[str, dict[str, Score]]) -> str:
    name = SCORES["identification"]
    values = ", ".join(
        f"{layer} {name.text(scores.get('identification', _UNKNOWN).value)}"
        for layer, scores in layers.items()
    )
    return f"{region}: {values}"


def table(found: SetResults, units: Mapping[str, tuple[int, int]]) -> Table:
    """One row per layer, chance last: the method's scores, then those of the best prediction."""
    heads = [(metric.label, metric.explanation) for metric in SCORES.values()]
    best = "of the best prediction in the span of the training features"
    heads += [(f"{name.capitalize()} in span", best) for name in SCORES]

    def cells(*parts: dict[str, Score]) -> tuple[Cell, ...]:
        return tuple(
            tables.score_cell(metric, scores.get(name, _UNKNOWN))
            for scores in parts
            for name, metric in SCORES.items()
        )

    rows = [
        Row(
            registry.Metric(layer, "", _counted(*units.get(layer, ()))),
            cells(scores, found.span.get(layer, {})),
        )
        for layer, scores in found.decoded.items()
    ]
    guess = {
        name: Score(metric.chance(2, 0) or 0.0) for name, metric in SCORES.items() if metric.chance
    }
    rows.append(Row(registry.Metric("chance", "", ""), cells(guess, guess)))
    return Table(tuple(heads), tuple(rows))


def _counted(number: int = 0, left_out: int = 0) -> str:
    """How many units a layer has; '' where it is not known."""
    without = f", of which {left_out:,} never vary in training and are left out" if left_out else ""
    return f"{count(number, 'unit')}{without}" if number else ""


def recovered(run: Workdir) -> Gallery | None:
    """Test images, their reconstructions, and what the renderer makes of their true features."""
    if not len(run.recovered) or run.recovered.shape[1:] != run.targets.shape[1:]:
        return None
    stimulus = run.recovered_stimulus
    main = run.rows(run.main)
    stacks = []
    for i in pictures.spread(np.arange(len(stimulus)), _MOST):
        row = main[np.flatnonzero(run.stimulus[main] == stimulus[i])[0]]
        images = {
            "target": run.targets[row],
            "reconstructed": run.reconstructions[row],
            "from true features": run.recovered[i],
        }
        x, y = (image.ravel().astype(float) for image in (run.targets[row], run.recovered[i]))
        varies = x.std() > 0 and y.std() > 0
        value = registry.metric("pixel_correlation").text(
            float(np.corrcoef(x, y)[0, 1]) if varies else math.nan
        )
        name = run.names[row]
        shown = tuple(
            Picture(pictures.source(image, 128), f"{kind}: {name}", kind)
            for kind, image in images.items()
        )
        stacks.append(Stack(name, shown, value))
    return Gallery(run.main, tuple(stacks), len(stimulus))


def _imagery(run: Workdir, split: str, decoded: SetResults | None, mark: str) -> dict[str, Any]:
    """Scores of imagined images, among themselves, beside chance."""
    scores, rows = run.scores.of(split), run.rows(split)
    guess = chance(len(np.unique(run.stimulus[rows])))
    columns = (
        ("imagined", "95 % interval over stimuli"),
        ("chance", "what a guess scores"),
    )
    listed = [
        Row(
            registry.metric(metric),
            (
                tables.cell(metric, scores[metric]),
                tables.cell(metric, Score(guess.get(metric, math.nan))),
            ),
        )
        for metric in registry.ordered(set(scores))
    ]
    side = pictures.affordable_side(run, 4 * len(rows) * len(pictures.layers(run)))
    stacks = tuple(pictures.stack(run, row, side) for row in pictures.ranked(run, split))
    return {
        "table": Table(columns, tuple(listed)),
        "gallery": Gallery(split, stacks[: pictures.MOST_IMAGES], len(rows)),
        "features": _decoded(run, decoded, "imagery_", mark) if decoded else None,
    }
