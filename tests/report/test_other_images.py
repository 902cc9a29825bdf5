"""Runs of different recordings side by side: shown, but neither ranked nor mistaken for paired."""

import csv
import io
import json

import pytest

from fmri_jax import report
from fmri_jax.report.comparison import page as comparison
from fmri_jax.report.comparison.hypotheses import Hypothesis
from fmri_jax.report.comparison.page import Comparison
from tests.report.synthetic_workdirs import write_binary, write_photographs
from tests.report.test_page import Page


@pytest.fixture(scope="module")
def mixed(workdirs, tmp_path_factory) -> tuple[Comparison, Page]:
    """A simulated run, a recorded one of other images, and in the last place one of the first's."""
    folder = tmp_path_factory.mktemp("mixed")
    other = write_photographs(folder / "other", n_test=9, size=32, simulated=False)
    named = {"A": workdirs["early"], "B": other, "C": workdirs["noise"]}
    compared = report.compare(named, folder / "out")
    return compared, Page(compared.page)


def test_runs_of_other_images_are_not_ranked(mixed):
    compared, page = mixed
    assert "Best" not in page.text and 'class="best' not in compared.page.read_text()
    table = [line for line in compared.markdown.splitlines() if line.startswith("| ")]
    assert not any("**" in line for line in table) and "Bold" not in compared.markdown
    assert "B had other test images than A" in page.text
    assert "B had other test images than A" in compared.markdown
    assert "A was tested on 12 images and B was tested on 9 images" in page.text


def test_baselines_are_given_for_each_recording(workdirs, mixed):
    rows = list(csv.DictReader(io.StringIO(mixed[0].csv.read_text())))
    found = {r["variant"]: r for r in rows if r["kind"] == "baseline" and r["metric"] == "ssim"}
    assert {"ridge of A", "ridge of B", "mean image of B"} <= set(found)
    assert "ridge of C" not in found
    scores = json.loads((workdirs["early"] / "scores.json").read_text())["baselines"]
    assert float(found["ridge of A"]["value"]) == pytest.approx(
        scores["ridge"]["ssim"]["value"], rel=1e-5
    )


def test_each_row_says_whether_it_is_simulated(mixed):
    compared, page = mixed
    names = [line.split("|")[1].strip(" *") for line in compared.markdown.splitlines()[2:11]]
    assert names[:3] == ["A (simulated)", "B", "C (simulated)"]
    assert "ridge of A (simulated)" in names and "ridge of B" in names
    rows = csv.DictReader(io.StringIO(compared.csv.read_text()))
    assert {row["variant"][-1]: row["simulated"] for row in rows} == {
        "A": "yes",
        "B": "no",
        "C": "yes",
    }
    assert "Simulated data" not in page.text and "The fMRI of A and C is simulated" in page.text


def test_the_chart_is_stamped_only_where_all_is_simulated(workdirs, tmp_path, monkeypatch):
    marks, draw = [], comparison.draw
    monkeypatch.setattr(comparison, "draw", lambda *given: marks.append(given[3]) or draw(*given))
    real = write_photographs(tmp_path / "real", n_test=12, size=32, simulated=False)
    report.compare({"A": workdirs["early"], "B": real}, tmp_path / "out")
    report.compare({"A": workdirs["early"]}, tmp_path / "out")
    assert marks == ["", "Simulated data"]


def test_the_gallery_leaves_out_who_has_other_images(workdirs, mixed, tmp_path):
    _, page = mixed
    assert "The same images by several variants" in page.text
    assert "Not shown, as tested on other images: B" in page.text
    (tmp_path / "figures").mkdir()
    stale = tmp_path / "figures" / "reconstructions.png"
    stale.touch()
    binary = write_binary(tmp_path / "binary", repeats=1)
    page = Page(report.compare({"A": workdirs["early"], "B": binary}, tmp_path).page)
    assert "The same images" not in page.text and not stale.exists()


def test_what_was_not_tested_has_no_stars_and_no_verdict(workdirs, tmp_path):
    other = write_photographs(tmp_path / "other", n_test=9, size=32)
    hypotheses = [Hypothesis("A", "B", "ssim"), Hypothesis("B", "A", "ssim")]
    compared = report.compare({"A": workdirs["early"], "B": other}, tmp_path, hypotheses=hypotheses)
    text = Page(compared.page).text
    assert "untested A above B" in text and "untested B above A" in text
    assert "star" not in (compared.markdown + text).lower().replace("random start", "")
    assert "One seed each" not in compared.markdown + text
