"""Events tables: what was shown in each trial of a run, as BIDS writes it (`_events.tsv`)."""

import csv
import dataclasses
import math
import pathlib

from fmri_jax.errors import InputError

_NONE = ("", "n/a", "N/A", "nan", "NaN")


@dataclasses.dataclass(frozen=True)
class Event:
    """One row of the table.

    Attributes:
        onset: s from the first volume; NaN where the table describes betas and has none.
        duration: s.
        stimulus: name of the image, relative to the folder of images; "" for rest.
        split: "train", "test" or another test set's name; "" where the table does not say.
    """

    onset: float
    duration: float
    stimulus: str
    split: str


def read_events(path: pathlib.Path, timeless: bool = False) -> list[Event]:
    """Reads an events table.

    Args:
        path: `.tsv` (tabs) or `.csv` (commas), with a row of column names.
        timeless: whether `onset` and `duration` may be absent, as for betas.

    Returns:
        The rows in the order of the table.

    Raises:
        InputError: the table cannot be read, lacks a column, or holds what is no time.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): expected a table in UTF-8.") from None
    rows = list(csv.DictReader(text.splitlines(), delimiter="," if path.suffix == ".csv" else "\t"))
    needed = {"stim_file"} if timeless else {"onset", "duration", "stim_file"}
    columns = [column for column in (rows[0] if rows else {}) if column]
    if missing := sorted(needed - set(columns)):
        raise InputError(
            f"{path} lacks the column {missing[0]!r}: expected {', '.join(sorted(needed))}, found "
            f"{', '.join(columns) or 'no rows'}; BIDS separates columns by tabs."
        )
    return [
        Event(
            onset=math.nan if timeless else _seconds(row, "onset", path, number),
            duration=0.0 if timeless else _seconds(row, "duration", path, number),
            stimulus=_name(row["stim_file"]),
            split=_name(row.get("split")),
        )
        for number, row in enumerate(rows, start=2)
    ]


def _name(value: str | None) -> str:
    return "" if value is None or value.strip() in _NONE else value.strip().replace("\\", "/")


def _seconds(row: dict[str, str], column: str, path: pathlib.Path, number: int) -> float:
    try:
        seconds = float(row[column])
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds) or (column == "duration" and seconds < 0):
        raise InputError(
            f"{path}: line {number} has the {column} {row[column]!r}: expected seconds, such as "
            "12.5; correct it."
        )
    return seconds
