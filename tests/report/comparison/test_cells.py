"""Texts of users in tables: no formula for a spreadsheet, no tag for a page of Markdown."""

import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest

from fmri_jax.evaluation.encoding_scores import Predictions
from fmri_jax.pipeline import encoding_results
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


def test_neither_regions_nor_layers_are_formulas_in_the_table_of_voxels():
    """Numbers below 0 stay numbers."""
    assert encoding_results._text("@layer") == "'@layer"
    assert encoding_results._text(-0.5) == "-0.5"
    correlation = {"=model": np.zeros(1)}
    everywhere = Predictions(np.zeros((2, 1)), {}, np.arange(2), None)
    found = SimpleNamespace(predictions=everywhere, voxels=np.ones(1, bool), weights={})
    text = encoding_results._table(found, {"=1+1": np.ones(1, bool)}, correlation)
    (line,) = csv.DictReader(io.StringIO(text))
    assert line["regions"] == "'=1+1" and line["best_layer"] == "'=model"
