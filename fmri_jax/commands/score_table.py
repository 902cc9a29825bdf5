"""The scores of a finished folder as a table for the terminal."""

import pathlib

from fmri_jax.evaluation import registry
from fmri_jax.evaluation.baselines import baseline, ordered
from fmri_jax.report.io.workdir import read


def score_table(folder: pathlib.Path) -> str:
    """One line per score: its value, 95 % interval, baselines and chance."""
    scores = read(folder).scores
    baselines = ordered(scores.baselines)
    head = [
        "score",
        "value",
        "95 % interval",
        *(baseline(name).label for name in baselines),
        "chance",
    ]
    lines = [head]
    for metric in scores.metrics:
        name, score = registry.metric(metric), scores.test[metric]
        ends = f"{name.text(score.low)} to {name.text(score.high)}"
        known = [scores.baselines[other].get(metric) for other in baselines]
        lines.append(
            [
                name.label,
                name.text(score.value),
                ends if score.has_interval else "",
                *(name.text(other.value) if other else "" for other in known),
                name.text(scores.chance[metric]) if metric in scores.chance else "",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
