"""The tables of a comparison as its page shows them, narrow enough for a laptop's screen."""

import dataclasses
from collections.abc import Collection, Sequence

from fmri_jax.evaluation import registry
from fmri_jax.report import tables
from fmri_jax.report.comparison.tables import Entry, best_runs

_TRAIN = ("pixel_correlation", "ssim")  # how closely the training images are fitted


@dataclasses.dataclass(frozen=True)
class Row:
    """One row as the page shows it; each cell with a note and whether it bears a star."""

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

    All in one table would not fit a laptop's screen, and what lies beside it is not seen.

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
