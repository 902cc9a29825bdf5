"""Means over subjects, against published numbers and SciPy; images that are numbered otherwise."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import scipy.stats

from fmri_jax import report
from fmri_jax.cli import main
from fmri_jax.evaluation.intervals import Score
from fmri_jax.report.comparison import subjects, variants
from fmri_jax.report.comparison.variants import Variant, read_variants

# Trials of the BCG vaccine (Colditz et al. 1994): cases and others, vaccinated and not.
BCG = """4 119 11 128; 6 300 29 274; 3 228 11 209; 62 13536 248 12619; 33 5036 47 5761;
180 1361 372 1079; 8 2537 10 619; 505 87886 499 87892; 29 7470 45 7232; 17 1699 65 1600;
186 50448 141 27197; 5 2493 3 2338; 27 16886 29 17825"""


def test_the_mean_and_spread_are_those_that_are_published_for_the_bcg_trials():
    a, b, c, d = np.array(BCG.replace("\n", " ").replace(";", " ").split(), float).reshape(13, 4).T
    log_risk = np.log(a / (a + b)) - np.log(c / (c + d))
    errors = np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
    found = subjects.random_effects(log_risk, errors)
    assert found.value == pytest.approx(-0.7141, abs=1e-4)  # DerSimonian & Laird, as metafor
    assert found.spread**2 == pytest.approx(0.3088, abs=1e-4)
    assert found.low < -0.7141 - 1.96 * 0.1787 and found.high < 0


@pytest.mark.parametrize("error", [0.01, np.nan])
def test_of_alike_errors_it_is_students_interval(error):
    values = np.array([0.61, 0.72, 0.58, 0.69, 0.80])
    found = subjects.random_effects(values, np.full(5, error))
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    alone = subjects.random_effects([0.6], [0.1])
    assert alone.value == 0.6 and np.isnan(alone.low)


def test_the_interval_holds_the_population_mean_19_times_in_20():
    rng, held = np.random.default_rng(0), 0
    for _ in range(1000):
        errors = rng.uniform(0.02, 0.1, 5)
        values = rng.normal(0.7, 0.05, 5) + rng.normal(0, errors)
        found = subjects.random_effects(values, errors)
        held += found.low < 0.7 < found.high
    assert held >= 935  # narrow intervals over images alone hold it far less often


def test_subjects_with_few_images_weigh_alike():
    scores = [Score(0.6, 0.5, 0.7), Score(0.7, 0.3, 1.1)]
    assert np.isnan(subjects.errors(scores, [50, 19])).all()
    np.testing.assert_allclose(subjects.errors(scores, [50, 20]), [0.2 / 3.92, 0.8 / 3.92], 1e-4)


@pytest.fixture(scope="module")
def people(workdirs, tmp_path_factory):
    """Two methods on three subjects: name -> workdirs."""
    folder, found = tmp_path_factory.mktemp("people"), {}
    for method, source in (("GAN", "whole cortex"), ("ridge", "noise")):
        for i, subject in enumerate(("A", "B", "C")):
            place = folder / f"{method} {subject}"
            ignore = shutil.ignore_patterns("report.html", "figures")
            shutil.copytree(workdirs[source], place, ignore=ignore)
            run = json.loads((place / "run.json").read_text())
            run["data"]["subject"] = subject
            (place / "run.json").write_text(json.dumps(run))
            scores = json.loads((place / "scores.json").read_text())
            score = scores["sets"]["test"]["ssim"]
            scores["sets"]["test"]["ssim"] = {key: score[key] + 0.02 * i for key in score}
            (place / "scores.json").write_text(json.dumps(scores))
            found.setdefault(method, []).append(place)
    return found


def test_subjects_of_one_name_are_rows_and_one_mean(people, tmp_path):
    read = read_variants(people)
    assert [variant.name for variant in read] == [
        f"{method}, {subject}" for method in people for subject in "ABC"
    ]
    gan, ridge = subjects.table(read, ["ssim", "pixel_correlation"])
    assert (gan.name, gan.subjects, gan.clear) == ("GAN", ("A", "B", "C"), (False, False))
    values = [variant.scores["test"]["ssim"].value for variant in read[:3]]
    assert gan.cells[0][0] == f"{np.mean(values):.3f}"
    assert ridge.clear[1] and ridge.cells[1][2].startswith("difference \N{MINUS SIGN}")
    words = [f"{name}={path}" for name, paths in people.items() for path in paths]
    assert main(["compare", *words, "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "Over subjects" in page and "random-effects" in page
    assert "| GAN | 3 |" in (tmp_path / "out" / "comparison.md").read_text()


def test_variants_that_differ_in_the_subject_alone_belong_together(people):
    named = {f"{name} {i}": path for name, paths in people.items() for i, path in enumerate(paths)}
    found = subjects.rows_of(read_variants({key: named[key] for key in list(named)[:3]}))
    assert list(found) == ["GAN"] and list(found["GAN"]) == ["A", "B", "C"]
    same = {"a": people["GAN"][0], "b": people["ridge"][0]}
    assert subjects.rows_of(read_variants(same)) == {}


def rearranged(variant: Variant, rows: np.ndarray, numbers: np.ndarray | None = None) -> Variant:
    """The run with other rows, and other numbers of its images."""
    run = variant.first
    arrays = {key: getattr(run, key)[rows] for key in ("targets", "reconstructions", "split")}
    stimulus = run.stimulus[rows] if numbers is None else numbers[run.stimulus[rows]]
    by_row = run.scores.by_row
    per_image = tuple(
        dataclasses.replace(by_row[i], index=j) for j, i in enumerate(rows) if i in by_row
    )
    scores = dataclasses.replace(run.scores, per_image=per_image)
    fold = run.fold[rows]
    changed = dataclasses.replace(run, stimulus=stimulus, fold=fold, scores=scores, **arrays)
    return Variant("changed", (changed,))


def test_the_same_images_are_recognised_in_other_trials_and_under_other_numbers(workdirs):
    first, early, _ = read_variants(workdirs)
    expected = variants.difference(early, first, "pixel_correlation")
    n = len(early.first.split)
    single_trials = rearranged(early, np.repeat(np.arange(n), 3))
    renumbered = rearranged(early, np.arange(n), np.arange(n)[::-1])
    for changed in (single_trials, renumbered):
        assert len(variants.by_images([first, changed])) == 1
        found = variants.difference(changed, first, "pixel_correlation")
        assert found.value == pytest.approx(expected.value)
        assert found.p == pytest.approx(expected.p, abs=0.03)  # other random swaps


def test_a_run_is_no_second_seed_of_itself(workdirs, tmp_path, capsys):
    twice = [f"a={workdirs['early']}"] * 2
    assert main(["compare", *twice, "--out", str(tmp_path / "out")]) == 2
    assert "is given twice" in capsys.readouterr().err
    with pytest.raises(Exception, match="is given twice"):
        report.compare({"a": [workdirs["early"]] * 2}, tmp_path / "out")
