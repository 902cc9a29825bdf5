"""Texts of users in tables: no formula for a spreadsheet, no tag for a page of Markdown."""

import csv
import io

import pytest

from fmri_jax.report.comparison.entries import Entry
from fmri_jax.report.comparison.tables import as_csv, as_markdown


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1"])
def test_no_cell_of_the_table_is_a_formula(name, one_entry):
    (_, line) = csv.reader(io.StringIO(as_csv([one_entry(name)]), newline=""))
    assert line[0] == "'" + name.replace("\t", " ") and line[4] == "-0.5"


def test_markdown_holds_no_tags_and_one_line_a_row(one_entry):
    text = as_markdown(
        [one_entry("<img src=x onerror=alert(1)>\n| a")], ["mse"], ["<b>warning</b>"]
    )
    assert "<" not in text and "&lt;img" in text and "&lt;b&gt;warning" in text
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3


@pytest.fixture
def one_entry():
    from fmri_jax.evaluation.intervals import Score

    def make(name: str) -> Entry:
        return Entry(name=name, label=name, sets={"test": {"mse": Score(value=-0.5)}})

    return make
