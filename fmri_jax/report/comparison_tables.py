"""The table of a comparison: on the page, as CSV, and as Markdown for a terminal."""

import csv
import dataclasses
import io
import math
from collections.abc import Sequence

from fmri_jax.evaluation.permutation import Difference
from fmri_jax.report import metric_names, tables
from fmri_jax.report.scores import Score
from fmri_jax.report.variants import (
    SIGNIFICANT,
    Variant,
    by_images,
    difference,
    simulated_mark,
    told_apart,
)

_UNKNOWN = Score(math.nan)
_TRAIN = ("pixel_correlation", "ssim")  # how closely the training images are fitted

_CSV_HEADER = (
    *("variant", "kind", "set", "metric", "value", "low", "high", "sd_over_seeds"),
    *("difference", "difference_low", "difference_high", "p", "simulated"),
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One row of the table: a variant, or a baseline of the first variant with its test images.

    Attributes:
        name: what it is called.
        label: the name as it is shown, which says where only some data are simulated.
        sets: 'test' (the main test set, whatever its name) and 'train' -> metric -> score.
        differences: metric -> paired difference from the first variant on the test set.
        spread: metric -> standard deviation over seeds on the test set, NaN for one seed.
        baseline: whether this is a baseline.
        images: number of the group that has the same test images.
        simulated: whether its fMRI is.
    """

    name: str
    label: str
    sets: dict[str, dict[str, Score]]
    differences: dict[str, Difference] = dataclasses.field(default_factory=dict)
    spread: dict[str, float] = dataclasses.field(default_factory=dict)
    baseline: bool = False
    images: int = 0
    simulated: bool = False

    def score(self, split: str, metric: str) -> Score:
        """A score, NaN where there is none."""
        return self.sets.get(split, {}).get(metric, _UNKNOWN)

    def differs(self, metric: str) -> bool:
        """Whether a test score differs from the first variant's, p < .05."""
        return metric in self.differences and self.differences[metric].p < SIGNIFICANT

    def note(self, metric: str) -> str:
        """The difference from the first variant and the spread over seeds, in words."""
        name, parts = metric_names.metric(metric), []
        if found := self.differences.get(metric):
            parts.append(tables.difference_text(metric, found))
        if math.isfinite(self.spread.get(metric, math.nan)):
            parts.append(f"standard deviation over seeds {name.text(self.spread[metric])}")
        return "; ".join(parts)


@dataclasses.dataclass(frozen=True)
class Row:
    """One row as the page shows it; each cell with a note and whether it bears a star."""

    name: str
    baseline: bool
    cells: tuple[tuple[tables.Cell, str, bool], ...]


def entries(variants: Sequence[Variant]) -> list[Entry]:
    """The numbers of every variant, then the baselines, of every recording its own."""
    groups = by_images(variants)
    number = {id(variant): i for i, group in enumerate(groups) for variant in group}
    found = [_entry(variant, variants, number[id(variant)]) for variant in variants]
    for images, (owner, *_) in enumerate(groups):
        whose = f" of {owner.name}" if len(groups) > 1 else ""
        for baseline, scores in owner.first.scores.baselines.items():
            name = told_apart(metric_names.baseline(baseline) + whose, variants, "baseline")
            label = name + simulated_mark(owner, variants)
            found.append(
                Entry(
                    name,
                    label,
                    {"test": dict(scores)},
                    baseline=True,
                    images=images,
                    simulated=owner.first.simulated,
                )
            )
    return found


def best_runs(rows: Sequence[Entry], metric: str) -> list[bool]:
    """Which rows are the best on the test set: no baseline, and none where the images differ."""
    if len({row.images for row in rows}) > 1:
        return [False] * len(rows)
    values = [math.nan if row.baseline else row.score("test", metric).value for row in rows]
    return tables.best_of(metric, values)


def page_columns(
    rows: Sequence[Entry], metrics: Sequence[str]
) -> list[tuple[str, metric_names.MetricName]]:
    """Image set and metric of each column: the test scores, then two of the training images."""
    return [
        (split, metric_names.metric(metric))
        for split, listed in (("test", metrics), ("train", _of_training(rows, metrics)))
        for metric in listed
    ]


def _of_training(rows: Sequence[Entry], metrics: Sequence[str]) -> list[str]:
    """The metrics shown of training images, where any variant was scored on these."""
    scored = set().union(*(row.sets.get("train", {}) for row in rows))
    return [metric for metric in _TRAIN if metric in metrics and metric in scored]


def page_rows(rows: Sequence[Entry], metrics: Sequence[str]) -> list[Row]:
    """The rows of the page, cell by cell as `page_columns`."""
    best = {metric: best_runs(rows, metric) for metric in metrics}
    of_training = _of_training(rows, metrics)
    shown = []
    for i, row in enumerate(rows):
        cells = [
            (
                tables.cell(metric, row.score("test", metric), best[metric][i]),
                row.note(metric),
                row.differs(metric),
            )
            for metric in metrics
        ]
        cells += [
            (tables.cell(metric, row.score("train", metric)), "", False) for metric in of_training
        ]
        shown.append(Row(row.label, row.baseline, tuple(cells)))
    return shown


def as_csv(rows: Sequence[Entry]) -> str:
    """Every score in one long table: a line for each variant, image set and metric."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_CSV_HEADER)
    for row in rows:
        for split, scores in row.sets.items():
            for metric, score in scores.items():
                numbers = [score.value, score.low, score.high]
                if split == "test":
                    numbers.append(row.spread.get(metric, math.nan))
                    numbers += row.differences.get(metric, ())
                texts = [f"{number:.6g}" if math.isfinite(number) else "" for number in numbers]
                kind = "baseline" if row.baseline else "run"
                line = [row.name, kind, split, metric, *texts]
                line += [""] * (len(_CSV_HEADER) - 1 - len(line))
                writer.writerow([*line, "yes" if row.simulated else "no"])
    return stream.getvalue()


def as_markdown(rows: Sequence[Entry], metrics: Sequence[str], warnings: Sequence[str] = ()) -> str:
    """The test scores with their intervals, in the columns `metrics`; warnings stand below."""
    heads = [f"{metric_names.metric(m).label} {metric_names.metric(m).arrow}" for m in metrics]
    best = {metric: best_runs(rows, metric) for metric in metrics}
    lines = ["| variant | " + " | ".join(heads) + " |", "|---" + "|---:" * len(metrics) + "|"]
    for i, row in enumerate(rows):
        name = row.label.replace("|", "/")
        cells = [_markdown_cell(row, metric, best[metric][i]) for metric in metrics]
        lines.append(f"| {f'*{name}*' if row.baseline else name} | " + " | ".join(cells) + " |")
    signs = "Bold: best run; italic" if any(map(any, best.values())) else "Italic"
    star = (
        f" Star: differs from {rows[0].name}, p < .05, paired permutation over stimuli, not "
        "corrected for the number of rows."
    )
    tested = any(row.differences for row in rows)
    lines += [
        "",
        f"Test images, 95 % bootstrap intervals over stimuli. {signs}: baselines."
        + (star if tested else ""),
    ]
    lines += [line for warning in warnings for line in ("", f"**{warning}**")]
    return "\n".join(lines) + "\n"


def _markdown_cell(row: Entry, metric: str, best: bool) -> str:
    """`**0.273** (0.24 – 0.30) *`."""
    shown = tables.cell(metric, row.score("test", metric))
    text = f"**{shown.text}**" if best else shown.text
    text += f" ({shown.interval})" if shown.interval else ""
    return text + (" \\*" if row.differs(metric) else "")


def _entry(variant: Variant, variants: Sequence[Variant], images: int) -> Entry:
    """The numbers of one variant beside the first one."""
    sets = {
        split: {
            metric: variant.score(split, metric)
            for metric in metric_names.ordered(set(variant.first.scores.of(split)))
        }
        for split in ("test", "train")
    }
    found = {metric: difference(variant, variants[0], metric) for metric in sets["test"]}
    differences = {metric: value for metric, value in found.items() if value is not None}
    spread = {metric: variant.spread(metric) for metric in sets["test"]}
    return Entry(
        variant.name,
        variant.name + simulated_mark(variant, variants),
        sets,
        differences,
        spread,
        images=images,
        simulated=variant.first.simulated,
    )
