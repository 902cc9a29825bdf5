"""A recording may name its test set as it likes: the first one is the main one."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest

from fmri_jax import report
from fmri_jax.errors import InputError
from fmri_jax.pipeline.rows import Rows
from fmri_jax.report.figures import charts
from fmri_jax.report.io import workdir
from fmri_jax.report.text import summary_text
from tests.report.test_page import Page

pytestmark = pytest.mark.draws


@pytest.fixture
def renamed(photographs, binary, tmp_path):
    """Copies of the two runs whose main test set is called 'val'."""

    def copy(run):
        folder = shutil.copytree(run, tmp_path / run.name)
        with np.load(folder / "reconstructions.npz") as archive:
            arrays = dict(archive)
        arrays["split"] = np.where(arrays["split"] == "test", "val", arrays["split"])
        np.savez(folder / "reconstructions.npz", **arrays)
        scores = json.loads((folder / "scores.json").read_text())
        scores["sets"]["val"] = scores["sets"].pop("test")  # the last key: the rows decide
        (folder / "scores.json").write_text(json.dumps(scores))
        return folder

    return copy(photographs), copy(binary)


def test_first_set_is_the_main_one_as_in_the_scores(renamed, photographs):
    for folder, main in ((renamed[0], "val"), (photographs, "test")):
        run = workdir.read(folder)
        rows = Rows(run.targets, {}, {}, run.stimulus, run.split, run.fold)
        assert [*run.test_sets, "train"] == rows.test_sets()
        assert run.main == main == next(iter(run.scores.sets))


def test_page_of_a_test_set_of_another_name(renamed, photographs, binary):
    for folder, usual in zip(renamed, (photographs, binary), strict=True):
        run, same = workdir.read(folder), workdir.read(usual)
        assert run.scores.test == same.scores.test
        assert summary_text.summary(run) == summary_text.summary(same)
        assert summary_text.remarks(run) == summary_text.remarks(same)
        page = Page(report.write(folder))
        assert summary_text.summary(run)[0] in page.text and "Test set “val”" in page.text
    known = [
        summary_text.remarks(
            dataclasses.replace(r, fold=np.array([f"run {i % 3}" for i in range(60)]))
        )
        for r in (run, same)
    ]
    assert known[0] == known[1] != summary_text.remarks(run)
    folds, expected = (charts.by_fold(r, "pixel_correlation") for r in (run, same))
    assert len(folds) == 20 and [name for name, _ in folds] == [name for name, _ in expected]


def test_comparison_with_a_test_set_of_another_name(renamed, photographs, tmp_path):
    """Paired with the run whose set is called 'test', as the images are the same."""
    figures = []
    for order in ((renamed[0], photographs), (photographs, renamed[0])):
        compared = report.compare(dict(zip("ab", order, strict=True)), tmp_path / "out")
        page = Page(compared.page)
        alts = [image["alt"] for image in page.images]
        assert [sum(a.endswith(f", {name}") for a in alts) for name in "ab"] == [12 + 12 + 6] * 2
        assert "had other test images" not in page.text
        assert "a was tested on 12 images" in page.text
        figures.append((tmp_path / "out/figures/reconstructions.png").read_bytes())
        with compared.csv.open() as file:
            lines = [line for line in csv.DictReader(file) if line["variant"] == "b"]
        found = {line["metric"]: line for line in lines if line["set"] == "test"}
        assert found["ssim"]["p"] == "1" and float(found["ssim"]["value"]) > 0
    assert len(set(figures)) == 1


def test_scores_without_the_main_set_are_refused(renamed):
    path = renamed[0] / "scores.json"
    scores = json.loads(path.read_text())
    scores["sets"]["test"] = scores["sets"].pop("val")
    path.write_text(json.dumps(scores))
    with pytest.raises(InputError, match="no scores under 'val': expected {\"val\": {metric"):
        workdir.read(renamed[0])
