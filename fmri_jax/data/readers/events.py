"""Events tables: what was shown in each trial of a run, as BIDS and as people write it.

BIDS has no quoting: a cell runs from tab to tab, whatever is in it. A table whose column names all
stand in quotes comes from R or a spreadsheet, and is read with quotes. A row whose cells do not
match the columns is never guessed at.
"""

import csv
import dataclasses
import io
import math
import pathlib
import re

from fmri_jax.data.readers.missing import is_missing
from fmri_jax.errors import InputError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Event:
    """One row of the table.

    Attributes:
        onset: s from the first volume; NaN where a row without image, or one of betas, has none.
        duration: s; NaN as `onset`.
        stimulus: name of the image, relative to the folder of images; "" for rest.
        split: "train", "test" or another test set's name; "" where the table does not say.
        group: what makes the image depend on others, such as its movie; "" for none.
    """

    onset: float
    duration: float
    stimulus: str
    split: str
    group: str = ""


def read_events(path: pathlib.Path, timeless: bool = False, groups: str = "") -> list[Event]:
    """Reads an events table.

    Args:
        path: `.tsv` (tabs) or `.csv` (commas), with a row of column names.
        timeless: whether `onset` and `duration` may be absent, as for betas.
        groups: the column that names groups of images; "" for none.

    Returns:
        The rows in the order of the table; empty lines are none.

    Raises:
        InputError: the table cannot be read, lacks a column, a row has more or fewer cells than
            there are columns, or a row with an image holds what is no time.
    """
    header, rows = _rows(path)
    needed = {"stim_file"} if timeless else {"onset", "duration", "stim_file"}
    if missing := sorted(needed - set(header)):
        raise InputError(
            f"{path} lacks the column {missing[0]!r}: expected {', '.join(sorted(needed))}, found "
            f"{', '.join(header) or 'no rows'}; BIDS separates columns by tabs."
        )
    if groups and groups not in header:
        raise InputError(
            f"{path} lacks the column {groups!r}, which was named for groups of images: expected "
            f"one of {', '.join(header)}."
        )
    for column in (*needed, "split", *filter(None, [groups])):
        if header.count(column) > 1:
            raise InputError(f"{path} has the column {column!r} twice: expected it once.")
    return [_event(path, line, row, timeless, groups) for line, row in rows]


def columns_of(path: pathlib.Path) -> list[str]:
    """The names of the columns of an events table; errors as of `read_events`."""
    return _rows(path)[0]


def _rows(path: pathlib.Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The column names; and each row's line number and cells by column."""
    lines = _lines(path)
    if not lines:
        return [], []
    (_, header), *body = lines
    header = [_bare(cell) for cell in header]
    while header and not header[-1]:  # a tab at the end of the line
        header.pop()
    rows = []
    for number, cells in body:
        if any(cell.strip() for cell in cells[len(header) :]) or len(cells) < len(header):
            raise InputError(
                f"{path}: line {number} has {len(cells)} cells for {len(header)} columns: expected "
                "one cell per column, n/a where there is no value, and one tab between cells; "
                "correct it."
            )
        rows.append((number, dict(zip(header, cells, strict=False))))
    return header, rows


def _lines(path: pathlib.Path) -> list[tuple[int, list[str]]]:
    """The number and cells of each line that is not blank."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}): expected a table in UTF-8.") from None
    if "\0" in text:
        raise InputError(f"{path} holds NUL bytes: expected a table in UTF-8; save it as such.")
    comma = path.suffix.lower() == ".csv"
    first = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    names = [cell.strip() for cell in first.strip("\t ").split("," if comma else "\t")]
    if comma or all(len(name) > 1 and name[0] == name[-1] == '"' for name in names):
        lines = _quoted(path, text, "," if comma else "\t")
    else:  # only these end a line, not form feeds or U+2028, at which str.splitlines splits
        split = re.split(r"\r\n|\n|\r", text)
        lines = [(number, line.split("\t")) for number, line in enumerate(split, start=1)]
    return [line for line in lines if len(line[1]) > 1 or "".join(line[1]).strip()]


def _quoted(path: pathlib.Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise InputError(
            f"{path}: line {reader.line_num} cannot be read ({error}): expected a quotation mark "
            "at both ends of a cell or at neither; correct it."
        ) from None


def _event(
    path: pathlib.Path, line: int, row: dict[str, str], timeless: bool, groups: str
) -> Event:
    stimulus = _name(row["stim_file"])

    def time(column: str) -> float:
        return _seconds(_bare(row[column]), column, path, line, bool(stimulus))

    return Event(
        onset=math.nan if timeless else time("onset"),
        duration=0.0 if timeless else time("duration"),
        stimulus=stimulus,
        split=_name(row.get("split", "")),
        group=_name(row[groups]) if groups else "",
    )


def _bare(cell: str) -> str:
    """A cell without blanks at its ends, and without the quotes that stand at both ends."""
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        cell = cell[1:-1].replace('""', '"').strip()
    return cell


def _name(cell: str) -> str:
    cell = _bare(cell)
    return "" if is_missing(cell) else cell.replace("\\", "/")


def _seconds(cell: str, column: str, path: pathlib.Path, line: int, needed: bool) -> float:
    """A time; NaN if a row without image, which needs none, has none."""
    value = float(cell) if _NUMBER.fullmatch(cell) else math.nan
    if math.isfinite(value) and not (column == "duration" and value < 0):
        return value
    if not needed:
        return math.nan
    raise InputError(
        f"{path}: line {line} has the {column} {cell!r}: expected seconds with a decimal point, "
        "such as 12.5; correct it."
    )
