"""Events tables as BIDS and as people write them: every trial is read, or the table is rejected."""

from pathlib import Path

import numpy as np
import pytest

from fmri_jax.data.readers.events import read_events
from fmri_jax.errors import InputError

HEAD = "onset\tduration\tstim_file\tnote\n"
ROWS = [(12.0 * i + 6, 6.0, f"{name}.png") for i, name in enumerate("abcd")]


def table(notes: list[str], head: str = HEAD) -> str:
    return head + "".join(
        f"{o}\t{d}\t{n}\t{note}\n" for (o, d, n), note in zip(ROWS, notes, strict=True)
    )


def quoted(text: str) -> str:
    """As R's write.table writes it: every text in quotes, numbers not."""
    lines = [line.split("\t") for line in text.splitlines()]
    cells = [
        [cell if cell.replace(".", "").isdigit() else f'"{cell}"' for cell in line]
        for line in lines
    ]
    return "".join("\t".join(line) + "\n" for line in cells)


PLAIN = table(["x"] * 4)
READ = {
    "plain": PLAIN,
    "a cell that begins with a quote": table(["x", '"y', "x", "x"]),
    "a cell that ends with a quote": table(["x", "x", 'y"', "x"]),
    "a quote that is never closed": table(['"', "x", "x", "x"]),
    "quotes around some cells": table(['"x"', "x", '"y z"', "x"]),
    "a form feed": table(["a\x0cb", "x", "x", "x"]),
    "a vertical tab": table(["a\x0bb", "x", "x", "x"]),
    "U+2028": table(["a\u2028b", "x", "x", "x"]),
    "U+0085": table(["a\u0085b", "x", "x", "x"]),
    "every text in quotes": quoted(PLAIN),
    "images in quotes alone": PLAIN.replace("a.png", '"a.png"'),
    "CRLF and BOM": "\ufeff" + PLAIN.replace("\n", "\r\n"),
    "CR": PLAIN.replace("\n", "\r"),
    "no end of the last line": PLAIN.rstrip("\n"),
    "empty lines": PLAIN.replace("\n", "\n\n"),
    "tabs at the ends of lines": PLAIN.replace("\tx\n", "\tx\t\n"),
    "a tab after the head": PLAIN.replace("note\n", "note\t\n"),
    "blanks around cells": PLAIN.replace("\t", " \t "),
    "other columns first": "".join(
        "\t".join(line.split("\t")[::-1]) + "\n" for line in PLAIN.splitlines()
    ),
    "a button press without duration": PLAIN + "9.1\tn/a\tn/a\tpress\n",
    "a row without onset": PLAIN + "n/a\tn/a\t\tmissed\n",
    "a rest of duration -1": PLAIN + "0\t-1\tn/a\trest\n",
    "no image by other words": PLAIN + "1\t1\tNaN\tx\n1\t1\tNone\tx\n1\t1\tN/A\tx\n1\t1\tnull\tx\n",
    "exponents": PLAIN.replace("6.0\t6.0", "0.6e1\t60E-1"),
}


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_tables_that_show_the_four_trials(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sub-01_task-view_events.tsv"
    path.write_bytes(text.encode())
    shown = [event for event in read_events(path) if event.stimulus]
    assert [(event.onset, event.duration, event.stimulus) for event in shown] == ROWS


REJECTED = {
    "two tabs before a name": (PLAIN.replace("\tb.png", "\t\tb.png"), "line 3 has 5 cells for 4"),
    "a cell too few": (PLAIN.replace("\tb.png", ""), "line 3 has 3 cells for 4 columns"),
    "a tab in a cell": (table(["x", "a\tb", "x", "x"]), "line 3 has 5 cells for 4 columns"),
    "blanks for tabs": (PLAIN.replace("\t", "  "), "lacks the column 'duration'"),
    "semicolons": (PLAIN.replace("\t", ";"), "lacks the column 'duration'"),
    "decimal commas": (PLAIN.replace("6.0", "6,0"), "line 2 has the onset '6,0'"),
    "a duration n/a of an image": (PLAIN.replace("6.0\t6.0", "6.0\tn/a"), "duration 'n/a'"),
    "a negative duration": (PLAIN.replace("6.0\t6.0", "6.0\t-1"), "line 2 has the duration '-1'"),
    "infinity": (PLAIN.replace("6.0\t6.0", "inf\t6.0"), "line 2 has the onset 'inf'"),
    "minutes": (PLAIN.replace("6.0\t6.0", "0:06\t6.0"), "line 2 has the onset '0:06'"),
    "underscores": (PLAIN.replace("18.0", "1_8"), "line 3 has the onset '1_8'"),
    "Arabic digits": (PLAIN.replace("18.0", "\u0661\u0668"), "line 3 has the onset"),
    "a column twice": (PLAIN.replace("note", "onset"), "has the column 'onset' twice"),
    "UTF-16": (PLAIN.encode("utf-16").decode("latin-1"), "NUL bytes|in UTF-8"),
    "nothing": ("", "found no rows"),
    "a quote in a quoted table": (quoted(PLAIN).replace('"x"', '"x'), "cannot be read|has . cells"),
}


@pytest.mark.parametrize(("text", "message"), REJECTED.values(), ids=REJECTED)
def test_tables_that_could_lose_a_trial(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "sub-01_task-view_events.tsv"
    path.write_bytes(text.encode("latin-1" if "\0" in text else "utf-8"))
    with pytest.raises(InputError, match=message):
        read_events(path)


def test_bytes_that_are_no_text_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "run_events.tsv"
    path.write_bytes(PLAIN.replace("x", "é").encode("latin-1"))
    with pytest.raises(InputError, match="expected a table in UTF-8"):
        read_events(path)


def test_a_comma_separated_table_keeps_quoted_commas_and_rows_without_image(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text('stim_file,split\n"a, b.png",train\nc\\d.png,test\n,\n')
    events = read_events(path, timeless=True)
    assert [(e.stimulus, e.split) for e in events] == [
        ("a, b.png", "train"),
        ("c/d.png", "test"),
        ("", ""),
    ]
    assert np.isnan(events[0].onset)
