"""The tables of a comparison: on its page, as CSV, and as Markdown for a terminal."""

import csv
import dataclasses
import html
import io
import math
from collections.abc import Collection, Sequence

from fmri_jax.errors import plain
from fmri_jax.evaluation import registry
from fmri_jax.report import tables
from fmri_jax.report.comparison.entries import Entry, best_runs
from fmri_jax.report.modality_words import Words
from fmri_jax.report.text.text_format import csv_cell

_TRAIN = ("pixel_correlation", "ssim")  # how closely the training images are fitted

_CSV_HEADER = (
    *("variant", "kind", "set", "metric", "value", "low", "high", "sd_over_seeds"),
    *("difference", "difference_low", "difference_high", "p", "simulated"),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One row as the page shows it; each cell with a note and whether it has a star."""

    name: str
    baseline: bool
    cells: tuple[tuple[tables.Cell, str, bool], ...]


@dataclasses.dataclass(frozen=True)
class PageTable:
    """One table of the page: image set and metric of each column, and rows with such cells."""

    columns: tuple[tuple[str, registry.Metric], ...]
    rows: tuple[Row, ...]

    @property
    def caption(self) -> str:
        """Whose scores these are."""
        of = {"test": "of the test images", "train": "of the training images"}
        sets = dict.fromkeys(of[split] for split, _ in self.columns)
        return f"Other scores {' and '.join(sets)}."


def page_tables(
    rows: Sequence[Entry], metrics: Sequence[str], main: Collection[str]
) -> list[PageTable]:
    """The main test scores, then the others and two scores of the training images.

    All in one table would not fit a laptop's screen.

    Args:
        rows: the variants and baselines.
        metrics: every metric that is shown of the test images, in order.
        main: those of the first table, where they are among `metrics`.
    """
    first = [("test", metric) for metric in metrics if metric in main]
    second = [("test", metric) for metric in metrics if metric not in main]
    second += [("train", metric) for metric in _of_training(rows, metrics)]
    return [_page_table(rows, columns) for columns in (first, second) if columns]


def _of_training(rows: Sequence[Entry], metrics: Sequence[str]) -> list[str]:
    """The metrics shown of training images, where any variant was scored on these."""
    scored = set().union(*(row.sets.get("train", {}) for row in rows))
    return [metric for metric in _TRAIN if metric in metrics and metric in scored]


def _page_table(rows: Sequence[Entry], columns: Sequence[tuple[str, str]]) -> PageTable:
    """One table with the columns (image set, metric); only test scores are ranked and tested."""
    best = {metric: best_runs(rows, metric) for split, metric in columns if split == "test"}
    shown = []
    for i, row in enumerate(rows):
        cells = [
            (
                tables.cell(metric, row.score(split, metric), split == "test" and best[metric][i]),
                row.note(metric) if split == "test" else "",
                split == "test" and row.differs(metric),
            )
            for split, metric in columns
        ]
        shown.append(Row(row.label, row.baseline, tuple(cells)))
    heads = tuple((split, registry.metric(metric)) for split, metric in columns)
    return PageTable(heads, tuple(shown))


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
                line = [*map(csv_cell, (row.name, kind, split, metric)), *texts]
                line += [""] * (len(_CSV_HEADER) - 1 - len(line))
                writer.writerow([*line, "yes" if row.simulated else "no"])
    return stream.getvalue()


def as_markdown(
    rows: Sequence[Entry],
    metrics: Sequence[str],
    warnings: Sequence[str] = (),
    words: Words | None = None,
) -> str:
    """The test scores with their intervals, in the columns `metrics`; warnings stand below.

    Names of runs are a user's; baselines and warnings are told in `words` of what was recorded.
    """
    told = words or str
    heads = [f"{registry.metric(m).label} {registry.metric(m).arrow}" for m in metrics]
    best = {metric: best_runs(rows, metric) for metric in metrics}
    lines = ["| variant | " + " | ".join(heads) + " |", "|---" + "|---:" * len(metrics) + "|"]
    for i, row in enumerate(rows):
        name = _escaped(told(row.label) if row.baseline else row.label).replace("|", "/")
        cells = [_markdown_cell(row, metric, best[metric][i]) for metric in metrics]
        lines.append(f"| {f'*{name}*' if row.baseline else name} | " + " | ".join(cells) + " |")
    signs = "Bold: best run; italic" if any(map(any, best.values())) else "Italic"
    star = (
        f" Star: differs from {_escaped(rows[0].name)}, p < .05, paired permutation over stimuli, "
        "not corrected for the number of rows."
    )
    tested = any(row.differences for row in rows)
    lines += [
        "",
        f"Test images, 95 % intervals over stimuli. {signs}: baselines." + (star if tested else ""),
    ]
    lines += [line for warning in warnings for line in ("", f"**{_escaped(told(warning))}**")]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """A text of a user's in Markdown, which takes HTML as it is: one line without tags."""
    return html.escape(plain(text), quote=False)


def _markdown_cell(row: Entry, metric: str, best: bool) -> str:
    """`**0.273** (0.24 – 0.30) *`."""
    shown = tables.cell(metric, row.score("test", metric))
    text = f"**{shown.text}**" if best else shown.text
    text += f" ({shown.interval})" if shown.interval else ""
    return text + (" \\*" if row.differs(metric) else "")
