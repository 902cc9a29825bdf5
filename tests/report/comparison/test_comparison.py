"""Several runs side by side: the table, the paired tests, the hypotheses, the same images."""

import csv
import dataclasses
import io
import json
import re
import shutil
from urllib.parse import unquote

import numpy as np
import pytest
import scipy.stats
from matplotlib.colors import to_hex
from sklearn.metrics import f1_score

from fmri_jax import report
from fmri_jax.cli import main
from fmri_jax.errors import InputError
from fmri_jax.evaluation.intervals import Score
from fmri_jax.report.comparison import entries, tables, variants
from fmri_jax.report.comparison.hypotheses import Hypothesis, compare
from fmri_jax.report.comparison.page import Comparison
from fmri_jax.report.comparison.variants import Variant, difference, read_variants
from fmri_jax.report.figures import charts
from fmri_jax.report.figures.theme import LIGHT
from tests.report.synthetic_workdirs import write_binary, write_photographs
from tests.report.test_page import Page


@pytest.fixture(scope="module")
def compared(workdirs, tmp_path_factory) -> Comparison:
    out = tmp_path_factory.mktemp("comparison")
    hypotheses = [
        Hypothesis("whole cortex", "noise", "pixel_correlation", "Noise tells <nothing>.")
    ]
    return report.compare(workdirs, out, "Three variants", hypotheses=hypotheses)


def test_csv_holds_every_score(workdirs, compared):
    rows = list(csv.DictReader(io.StringIO(compared.csv.read_text())))
    for name, path in workdirs.items():
        scores = json.loads((path / "scores.json").read_text())
        for split in ("test", "train"):
            found = {r["metric"]: r for r in rows if (r["variant"], r["set"]) == (name, split)}
            assert set(found) == set(scores["sets"][split])
            for metric, score in scores["sets"][split].items():
                for key in ("value", "low", "high"):
                    assert float(found[metric][key]) == pytest.approx(score[key], rel=1e-5)
    assert {r["variant"] for r in rows if r["kind"] == "baseline"} >= {"ridge", "mean image"}


def test_paired_test_equals_scipy(workdirs):
    first, _, noise = read_variants(workdirs)
    found = difference(noise, first, "ssim")
    columns = [v.first.scores.column("ssim", len(v.first.split))[v.rows] for v in (noise, first)]
    gap = columns[0] - columns[1]
    expected = scipy.stats.permutation_test(
        columns, lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples"
    )
    assert found.value == pytest.approx(gap.mean())
    assert found.p == pytest.approx(expected.pvalue, abs=0.01)
    assert found.low < gap.mean() < found.high


def test_page_shows_the_same_images_by_every_variant(workdirs, compared):
    page = Page(compared.page)
    alts = [image["alt"] for image in page.images]
    for name in ("target", "ridge", *workdirs):  # 12 photographs, 12 shapes, 6 letters
        assert sum(alt.endswith(f", {name}") for alt in alts) == 12 + 12 + 6
    links = [a for a in page.addresses if not a.startswith("data:image/png;base64,")]
    assert all((compared.page.parent / unquote(link)).resolve().parent.is_dir() for link in links)
    assert len(links) == 3
    assert "Simulated data" in page.text and "Noise tells <nothing>." in page.text


def test_markdown_marks_the_best_and_the_different(compared):
    lines = {line.split("|")[1].strip(): line for line in compared.markdown.splitlines()[2:6]}
    assert "**" in lines["whole cortex"] and "\\*" not in lines["whole cortex"]
    assert "\\*" in lines["noise"] and "**" not in lines["noise"]
    heads, rule = compared.markdown.splitlines()[:2]
    assert heads.count("|") == rule.count("|") == lines["noise"].count("|")
    assert compared.markdown == (compared.page.parent / "comparison.md").read_text()


def test_claims_are_held_against_the_numbers(workdirs):
    read = read_variants(workdirs)
    assert compare(Hypothesis("whole cortex", "noise", "pixel_correlation"), read)[0] == "holds"
    assert compare(Hypothesis("noise", "whole cortex", "pixel_correlation"), read)[0] == "fails"
    assert (
        compare(Hypothesis("whole cortex", "noise", "lpips"), read)[0] == "holds"
    )  # lower is better
    twin = Variant("twin", read[0].runs)
    assert (
        compare(Hypothesis("whole cortex", "twin", "ssim"), [read[0], twin])[0] == "fails"
    )  # a tie
    outcome, sentence = compare(Hypothesis("whole cortex", "noise", "ssim"), read)
    assert outcome == "holds" and " against " in sentence and "p = 0.0" in sentence
    with pytest.raises(InputError, match="'HVC': there are whole cortex, early, noise"):
        compare(Hypothesis("HVC", "noise", "ssim"), read)
    with pytest.raises(InputError, match="'f1'"):
        compare(Hypothesis("early", "noise", "f1"), read)


def test_ordering_that_may_be_chance_stays_open(workdirs):
    first, early, _ = read_variants(workdirs)
    metrics = first.first.scores.metrics
    for metric in metrics:
        found = difference(first, early, metric)
        order = Hypothesis(first.name, early.name, metric)
        outcome, _ = compare(order, [first, early])
        assert outcome in ("fails", "holds" if found.p < 0.05 else "open")


def test_seeds_are_averaged_image_by_image(workdirs):
    paths = [workdirs["whole cortex"], workdirs["early"]]
    (both,) = read_variants({"both": paths})
    each = read_variants({str(path): path for path in paths})
    values = [variant.scores["test"]["ssim"].value for variant in each]
    score = both.scores["test"]["ssim"]
    assert score.value == pytest.approx(np.mean(values))
    assert score.low < score.value < score.high
    assert both.spread["ssim"] == pytest.approx(np.std(values, ddof=1))
    assert np.isnan(each[0].spread["ssim"])


def test_pooled_scores_are_paired_through_counts(tmp_path):
    (variant,) = read_variants({"figures": write_binary(tmp_path / "run", repeats=2)})
    columns, statistic = variant.sums("f1")
    run = variant.first
    expected = f1_score((run.targets > 0.5).ravel(), (run.reconstructions > 0.5).ravel())
    assert statistic(columns.sum(axis=0)) == pytest.approx(expected)


def test_other_test_images_are_not_paired(workdirs, tmp_path):
    other = write_photographs(tmp_path / "other", n_test=9, size=32)
    compared = report.compare({"first": workdirs["early"], "other": other}, tmp_path / "out")
    assert "other had other test images than first" in Page(compared.page).text
    assert "\\*" not in compared.markdown
    first, second = read_variants({"first": workdirs["early"], "other": other})
    assert difference(second, first, "ssim") is None


def test_same_indices_of_different_images_are_not_paired(workdirs):
    first, early, _ = read_variants(workdirs)
    flipped = dataclasses.replace(early.first, targets=early.first.targets[:, ::-1])
    assert variants.same_images(first, early)
    assert not variants.same_images(first, Variant("flipped", (flipped,)))


def test_numbers_that_cannot_be_compared(workdirs, tmp_path):
    with pytest.raises(InputError, match="nothing to compare"):
        report.compare({}, tmp_path)
    with pytest.raises(InputError, match="'VC' has no workdir"):
        report.compare({"VC": []}, tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        report.compare({"VC": tmp_path / "nowhere"}, tmp_path)
    other = write_photographs(tmp_path / "other", n_test=9, size=32)
    with pytest.raises(InputError, match="seeds of variant 'VC' but were tested on different"):
        report.compare({"VC": [workdirs["early"], other]}, tmp_path)


def test_baselines_are_never_the_best_run(workdirs):
    rows = entries.entries(read_variants(workdirs))
    ridge = next(row for row in rows if row.name == "ridge")
    ridge.sets["test"]["ssim"] = ridge.score("test", "ssim")._replace(value=0.999)
    best = entries.best_runs(rows, "ssim")
    assert sum(best) == 1 and not best[rows.index(ridge)]


def test_command_compares(workdirs, tmp_path, capsys):
    copied = shutil.copytree(workdirs["noise"], tmp_path / "copied")
    arguments = [f"first={workdirs['early']}", str(copied)]
    assert main(["compare", *arguments, "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "comparison.html")
    twice = ["compare", str(copied), str(copied), "--out", str(tmp_path / "out")]
    assert main(twice) == 2
    assert "Two workdirs are called 'copied'" in capsys.readouterr().err


def test_training_images_have_a_column_only_where_they_were_scored(workdirs):
    rows = entries.entries(read_variants(workdirs))
    metrics = ["pixel_correlation", "ssim"]

    def splits():
        shown = tables.page_tables(rows, metrics, metrics)
        assert all(len(row.cells) == len(table.columns) for table in shown for row in table.rows)
        return [[split for split, _ in table.columns] for table in shown]

    assert splits() == [["test", "test"], ["train", "train"]]
    captions = [
        [table.caption for table in tables.page_tables(rows, metrics, main)]
        for main in (metrics, metrics[:1])
    ]
    assert [found[-1] for found in captions] == [
        "Other scores of the training images.",
        "Other scores of the test images and of the training images.",
    ]
    for row in rows:
        row.sets.pop("train", None)
    assert splits() == [["test", "test"]]


def test_main_scores_stand_in_a_table_of_their_own(compared):
    """Fifteen columns in one table are wider than a laptop's screen: the last were not seen."""
    text = compared.page.read_text()
    heads = [table.split("</thead>")[0] for table in text.split('<table class="variants">')[1:]]
    counts = [head.count('<th scope="col"') for head in heads]
    assert len(heads) == 2 and max(counts) <= 10
    for label in ("Pixel correlation", "SSIM", "Identification, 2-way", "LPIPS"):
        assert f">{label}&nbsp;" in heads[0]
    assert "training</span>" in heads[1] and "training</span>" not in heads[0]


def test_names_of_images_keep_the_end_in_which_they_differ(workdirs, tmp_path):
    run = shutil.copytree(workdirs["early"], tmp_path / "run")
    scores = json.loads((run / "scores.json").read_text())
    for row in scores["per_image"]:
        row["stimulus_name"] = f"crop_of_a_photograph_of_chelsea {row['index']:03d}"
    (run / "scores.json").write_text(json.dumps(scores))
    page = report.compare({"a": run}, tmp_path / "out").page.read_text()
    heads = re.findall(r'<th scope="col" title="(crop[^"]*)">([^<]*)</th>', page)
    assert len(heads) == 12 + 12 + 6
    assert len({shown for _, shown in heads}) == len({name for name, _ in heads})
    assert all(shown.endswith(name[-3:]) and len(shown) <= 14 for name, shown in heads)


def test_bars_of_variants_are_not_those_of_baselines(workdirs):
    rows = entries.entries(read_variants(workdirs))
    assert [row.colour for row in rows if not row.baseline] == ["accent", "variant", "variant"]
    assert [row.colour for row in rows if row.baseline][:2] == ["ridge", "other"]
    panel = {"ssim": [Score(0.5)] * len(rows)}
    colours = [row.colour for row in rows]
    drawn = charts.bar_panels([row.label for row in rows], panel, {}, LIGHT, colours)
    shown = [to_hex(bar.get_facecolor()) for bar in drawn.axes[0].patches]
    assert shown == [getattr(LIGHT, colour) for colour in colours]
    assert len({LIGHT.accent, LIGHT.variant, LIGHT.ridge, LIGHT.other}) == 4


def test_pages_of_seeds_bear_their_seeds(workdirs, tmp_path):
    paths = [shutil.copytree(workdirs["early"], tmp_path / f"copy_{seed}") for seed in (0, 7)]
    for seed, path in zip((0, 7), paths, strict=True):
        content = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text(json.dumps({**content, "seed": seed}))
    page = Page(report.compare({"both": paths}, tmp_path / "out").page)
    assert "seed 0 seed 7" in page.text


def test_several_seeds_of_one_test_image_have_no_interval(workdirs):
    (both,) = read_variants({"both": [workdirs["whole cortex"], workdirs["early"]]})
    run = dataclasses.replace(both.first, stimulus=np.zeros_like(both.first.stimulus))
    score = Variant("one", (run, both.runs[1])).scores["test"]["ssim"]
    assert np.isfinite(score.value) and not score.has_interval


def test_a_folder_that_cannot_be_written_is_one_sentence(workdirs, tmp_path, capsys):
    (tmp_path / "file").touch()
    given = ["compare", f"a={workdirs['early']}", "--out", str(tmp_path / "file")]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert said.startswith("fmri_jax: The page was not written (") and said.count("\n") == 1


@pytest.mark.filterwarnings("error:constrained_layout not applied")
def test_long_names_leave_room_for_the_bars(workdirs, tmp_path):
    long = "a variant of the experiment whose name says nearly everything that was changed in it"
    names = {long: workdirs["early"], f"{long}, too": workdirs["noise"]}
    assert f"{long}, too" in Page(report.compare(names, tmp_path).page).text
