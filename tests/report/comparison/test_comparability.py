"""Variants that cannot be compared as they stand: leaks, other splits, warnings of single ones."""

import csv
import dataclasses
import io
import json
import pathlib
import shutil

import numpy as np
import pytest

from fmri_jax import report
from fmri_jax.evaluation.notes import Note, know_test_images
from fmri_jax.report import run_notes
from fmri_jax.report.comparison import comparability
from fmri_jax.report.comparison.hypotheses import Hypothesis
from fmri_jax.report.comparison.page import Comparison
from fmri_jax.report.comparison.variants import read_variants
from tests.report.test_page import Page

LEAK = "8 images are shown both in training and in testing."
LEAKED = Note("shared_images", "warning", LEAK, {"images": 8})


def changed(run: pathlib.Path, folder: pathlib.Path, notes: tuple[Note, ...] = (), **preparation):
    """A copy of a run with further notes and other options of the preparation."""
    shutil.copytree(run, folder)
    for file, key, content in (("scores", "notes", notes), ("config", "preparation", preparation)):
        path = folder / f"{file}.json"
        found = json.loads(path.read_text())
        added = [dataclasses.asdict(note) for note in notes]
        found[key] = found[key] + added if key == "notes" else found[key] | content
        path.write_text(json.dumps(found))
    return folder


@pytest.fixture(scope="module")
def runs(workdirs, tmp_path_factory) -> dict[str, pathlib.Path]:
    """A weak run and a weaker one, and a strong one that knew its test images."""
    folder = tmp_path_factory.mktemp("leaky")
    return {
        "honest": workdirs["early"],
        "leaky": changed(workdirs["whole cortex"], folder / "leaky", (LEAKED,), split="run"),
        "weak": workdirs["noise"],
    }


@pytest.fixture(scope="module")
def compared(runs, tmp_path_factory) -> Comparison:
    hypotheses = [Hypothesis("leaky", "honest", "ssim"), Hypothesis("honest", "weak", "ssim")]
    return report.compare(runs, tmp_path_factory.mktemp("out"), hypotheses=hypotheses)


def test_a_run_that_knows_its_test_images_is_not_the_best(compared):
    page, markdown = Page(compared.page).text, compared.markdown
    lines = {line.split("|")[1].strip(): line for line in markdown.splitlines() if "|" in line}
    assert "**" not in lines["leaky (not ranked)"] and "**" in lines["honest"]
    assert "\\*" not in lines["leaky (not ranked)"] and "\\*" in lines["weak"]
    assert "Best pixel correlation: honest with" in page
    assert "leaky left out, whose test images were shown in training" in page
    for text in (page, markdown):
        assert "leaky: not ranked and not tested against the others" in text
        assert f"leaky: {LEAK}" in text
    assert page.index(LEAK) < page.index("Scores")
    found = csv.DictReader(io.StringIO(compared.csv.read_text()))
    assert {row["p"] for row in found if row["variant"] == "leaky"} == {""}


def test_claims_on_a_run_that_knows_its_test_images_are_not_judged(compared):
    page = Page(compared.page).text
    assert "untested leaky above honest" in page
    assert "test images of leaky were shown in training" in page
    assert "untested honest above weak" not in page


def test_of_two_runs_one_of_which_leaks_none_is_the_best(runs, tmp_path):
    for order in (("honest", "leaky"), ("leaky", "honest")):
        compared = report.compare({name: runs[name] for name in order}, tmp_path)
        assert "Best" not in Page(compared.page).text
        assert "no variant is the best, because test images of leaky" in Page(compared.page).text
        assert 'class="best' not in compared.page.read_text() and "Bold" not in compared.markdown
        assert "\\*" not in compared.markdown


def test_runs_that_leak_alike_are_tested_but_none_is_the_best(workdirs, tmp_path):
    """Which of them recognises better may be asked, but the answer is no reconstruction."""
    leaky = {
        name: changed(workdirs[name], tmp_path / name, (LEAKED,)) for name in ("early", "noise")
    }
    compared = report.compare(leaky, tmp_path / "out")
    assert "Best" not in Page(compared.page).text and "not ranked" not in compared.markdown
    assert "\\*" in compared.markdown
    assert f"Every variant: {LEAK}" in compared.markdown


def test_leaks_are_seen_in_the_rows_too(runs, tmp_path):
    run = read_variants(runs)[0].first
    assert not know_test_images(run_notes.of_run(run))
    folder = shutil.copytree(run.path, tmp_path / "run")
    with np.load(folder / "reconstructions.npz") as archive:
        arrays = dict(archive)
    arrays["stimulus"][run.rows("train")[:2]] = arrays["stimulus"][run.rows("test")[:2]]
    np.savez(folder / "reconstructions.npz", **arrays)
    (variant,) = read_variants({"a": folder})
    assert variant.knows_test_images


def test_warnings_bear_the_names_of_their_variants(workdirs, tmp_path):
    ceiling = Note("noise_ceiling", "info", "Noise ceiling.", {"explainable": 0.4})
    low, high = (Note("chance", "warning", f"Not above (p = {p}).", {"p": p}) for p in (0.3, 0.8))
    one = changed(workdirs["early"], tmp_path / "one", (low,))
    two = changed(workdirs["noise"], tmp_path / "two", (high, ceiling))
    third = workdirs["whole cortex"]
    told = comparability.warnings(read_variants({"a": one, "b": third}))
    assert told[0] == "a: Not above (p = 0.3)."
    told = comparability.warnings(read_variants({"a": one, "b": two, "c": third}))
    assert told[0] == "a and b: 2-way identification is not above chance."
    again = shutil.copytree(two, tmp_path / "again")
    told = comparability.warnings(read_variants({"a": [one, third], "b": [two, again]}))
    assert told[0] == "a (1 of 2 seeds) and b: 2-way identification is not above chance."
    assert not any("Noise ceiling" in sentence for sentence in told)


def test_baselines_are_given_for_each_split_of_the_same_images(runs, compared):
    """A ridge that was trained on other images is another baseline."""
    rows = list(csv.DictReader(io.StringIO(compared.csv.read_text())))
    found = {r["variant"]: r for r in rows if r["kind"] == "baseline" and r["metric"] == "ssim"}
    assert {"ridge of honest", "ridge of leaky", "mean image of leaky"} <= set(found)
    assert "ridge of weak" not in found
    scores = json.loads((runs["leaky"] / "scores.json").read_text())["baselines"]
    assert float(found["ridge of leaky"]["value"]) == pytest.approx(
        scores["ridge"]["ssim"]["value"]
    )
    page = Page(compared.page).text
    assert "Baselines are those of honest and of leaky" in page
    for text in (page, compared.markdown):
        assert "differently: split is given for honest and weak, run for leaky." in text


@pytest.mark.parametrize(
    ("option", "values", "groups"),
    [
        ("n_folds", (3, 0), 2),
        ("average_repeats", ("none", "all"), 2),
        ("roi", ("V1", "V2"), 1),
        ("fmri", ("recorded", "noise"), 1),
        ("n_unlabelled", (5000, 40_000), 1),
        ("later_option", (None, 1), 1),
    ],
)
def test_what_makes_baselines_of_its_own(workdirs, tmp_path, option, values, groups):
    """Other trials do, other voxels and options of later versions do not."""
    paths = {
        str(value): changed(
            workdirs["early"],
            tmp_path / str(value),
            **({} if value is None else {option: value}),
        )
        for value in values
    }
    read = read_variants(paths)
    assert len(comparability.by_baselines(read)) == groups
    told = any(f"differently: {option} is" in sentence for sentence in comparability.warnings(read))
    assert told == (groups > 1)


def test_each_recording_has_baselines_of_its_own(workdirs, tmp_path):
    other = shutil.copytree(workdirs["early"], tmp_path / "other")
    content = json.loads((other / "run.json").read_text())
    content["data"]["fingerprint"] = "another"
    (other / "run.json").write_text(json.dumps(content))
    read = read_variants({"a": workdirs["early"], "b": other, "c": workdirs["noise"]})
    assert [[v.name for v in group] for group in comparability.by_baselines(read)] == [
        ["a", "c"],
        ["b"],
    ]
