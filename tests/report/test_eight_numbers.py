"""The page shows the row of NSD papers where a run has it, and says what is missing from it."""

import json
import shutil

import pytest

from fmri_jax.errors import InputError
from fmri_jax.evaluation.eight_numbers import NUMBERS
from fmri_jax.evaluation.registry import EIGHT_NUMBERS
from fmri_jax.report import eight_numbers, page
from fmri_jax.report.io import workdir


@pytest.fixture
def with_row(photographs, tmp_path):
    """A copy of the run, and a way to give it a row."""
    folder = shutil.copytree(photographs, tmp_path / "run")

    def write(row):
        scores = json.loads((folder / "scores.json").read_text())
        (folder / "scores.json").write_text(json.dumps({**scores, "eight_numbers": row}))
        return folder

    return write


def test_every_number_has_a_name():
    assert tuple(EIGHT_NUMBERS) == NUMBERS


def test_the_row_stands_on_the_page(with_row):
    values = {"pixcorr": {"value": 0.31234, "low": 0.25, "high": 0.375}, "clip": {"value": 0.7}}
    missing = {"swav": "https://there.example cannot be reached: download it & put it here."}
    folder = with_row({"values": values, "not_computed": missing})
    html = page.write_page(folder).read_text(encoding="utf-8")
    assert "As papers on the Natural Scenes Dataset report" in html
    assert "0.312" in html and "0.250 – 0.375" in html and "70.0 %" in html
    assert (
        "SwAV is not computed: https://there.example cannot be reached: download it &amp;" in html
    )


def test_a_run_without_the_row_has_no_such_table(photographs):
    scores = workdir.read(photographs).scores
    assert eight_numbers.table(scores) is None and eight_numbers.missing(scores) == []
    assert "eight_numbers" not in scores.sets


def test_a_row_of_another_form_is_refused(with_row):
    with pytest.raises(InputError, match="eight_numbers is a list: expected an object"):
        workdir.read(with_row([1, 2]))
