"""Names that users choose: rows of one name all stay, and every sign is shown as it is."""

import io
import json
import shutil

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from fmri_jax import report
from fmri_jax.evaluation.intervals import Score
from fmri_jax.report.comparison import figures as comparison_pictures
from fmri_jax.report.comparison.variants import read_variants
from fmri_jax.report.figures import charts, montage, pictures
from fmri_jax.report.figures.theme import LIGHT, figure, png, style
from fmri_jax.report.io import workdir
from tests.report.synthetic_workdirs import write_photographs

pytestmark = pytest.mark.draws

# Matplotlib reads `$...$` as mathematics, and refuses what is none.
NAMES = ["US$_0%_$5", "$x^2^3$", "cost $5 & $6", "a\\$b$c$", "5$ {bill}_$", "plain"]


@pytest.fixture(scope="module")
def workdirs(photographs, tmp_path_factory):
    """A run, and another of the same images under names that the report itself gives to rows."""
    other = write_photographs(
        tmp_path_factory.mktemp("names") / "other", n_test=12, strength=0.3, seed=1
    )
    names = ("ridge", "target", "mean image", "shuffled fMRI", "ridge (baseline)")
    return {"gan": photographs, **dict.fromkeys(names, other)}


def test_variants_called_like_other_rows_keep_their_pictures(workdirs):
    variants = read_variants(workdirs)
    first = variants[0].first
    shown = comparison_pictures.strips(variants)[0]
    rows = [first.names.index(name) for name in shown.names]
    stacks = [first.targets, *(v.first.reconstructions for v in variants), first.baselines["ridge"]]
    for (_, found), stack in zip(shown.strips, stacks, strict=True):
        assert [p.src for p in found] == [pictures.source(stack[row], 64) for row in rows]
    labels = [label for label, _ in shown.strips]
    assert labels == ["target (images)", *workdirs, "ridge (baseline)"]


def test_variants_called_like_baselines_keep_their_bars(workdirs, tmp_path, monkeypatch):
    drawn, draw = [], charts.bar_panels

    def keep(*given, **named):
        drawn.append(draw(*given, **named))
        return drawn[-1]

    monkeypatch.setattr(charts, "bar_panels", keep)
    compared = report.compare(workdirs, tmp_path)
    scores = [json.loads((path / "scores.json").read_text()) for path in workdirs.values()]
    baselines = [scores[0]["baselines"][name] for name in ("ridge", "mean_image", "shuffled_fmri")]
    values = [run["sets"]["test"]["pixel_correlation"]["value"] for run in scores]
    values += [known["pixel_correlation"]["value"] for known in baselines]
    axes = drawn[0].axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(values)
    names = [*workdirs, *(f"{n} (baseline)" for n in ("ridge", "mean image", "shuffled fMRI"))]
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    lines = compared.csv.read_text().splitlines()
    assert [line.split(",")[0] for line in lines if ",test,ssim," in line] == names


def pixels(drawing):
    return np.asarray(Image.open(io.BytesIO(png(drawing))))


def bars(names):
    colours = ["other"] * len(names)
    return charts.bar_panels(names, {"ssim": [Score(0.5)] * len(names)}, {}, LIGHT, colours)


def images(names):
    return montage.draw([(name, np.ones((6, 8, 8, 3))) for name in names], "123456", "", LIGHT)


@pytest.mark.parametrize("draw", [bars, images])
def test_dollars_of_names_are_drawn_as_dollars(draw):
    """Pixel by pixel what Matplotlib draws when it is told to read no mathematics."""
    expected = draw(["x" * len(name) for name in NAMES])  # a figure fits its longest label
    axes = expected.axes[0]
    axes.set_yticks(axes.get_yticks(), NAMES, parse_math=False)
    np.testing.assert_array_equal(pixels(draw(NAMES)), pixels(expected))


@pytest.mark.parametrize("name", NAMES)
def test_dollars_of_titles_are_drawn_as_dollars(name):
    drawing, expected = figure(3, 2, LIGHT), figure(3, 2, LIGHT)
    style(drawing.subplots(), LIGHT, name)
    style(expected.subplots(), LIGHT, "title")
    (title,) = (text for text in expected.findobj(Text) if text.get_text() == "title")
    title.set(text=name, parse_math=False)
    np.testing.assert_array_equal(pixels(drawing), pixels(expected))


def test_reports_of_names_with_dollars_are_written(photographs, binary, tmp_path):
    name = "US$_0%_$5 for $x^2^3$"
    for run in (photographs, binary):  # of the binary run every stimulus is a fold
        copied = shutil.copytree(run, tmp_path / run.name)
        scores = json.loads((copied / "scores.json").read_text())
        for row in scores["per_image"]:
            row["stimulus_name"] = name
        (copied / "scores.json").write_text(json.dumps(scores))
        assert name in report.write(copied).read_text()
    compared = report.compare({name: tmp_path / photographs.name, "b": photographs}, tmp_path)
    assert name in compared.page.read_text()
    figures = (tmp_path / "figures").glob("*.png")
    assert [np.asarray(Image.open(path)).std() > 5 for path in figures] == [True, True]


def test_test_sets_with_dollars_are_drawn(photographs, tmp_path):
    copied = shutil.copytree(photographs, tmp_path / "run")
    with np.load(copied / "reconstructions.npz") as archive:
        arrays = dict(archive)
    arrays["split"] = np.where(arrays["split"] == "shapes", "$s^2^3$", arrays["split"])
    np.savez(copied / "reconstructions.npz", **arrays)
    assert "$s^2^3$" in workdir.read(copied).test_sets
    assert "Test set “$s^2^3$”" in report.write(copied).read_text()
