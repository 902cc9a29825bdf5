"""Decoded features and imagery on the page, from the files of a run alone."""

import json

import numpy as np
import pytest

from fmri_jax import report
from fmri_jax.evaluation.feature_results import FeatureResults, SetResults
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.results import Results, parse
from fmri_jax.report import features
from fmri_jax.report.figures import feature_charts
from fmri_jax.report.figures.theme import LIGHT
from fmri_jax.report.io import workdir
from tests.report.test_page import Page

LAYERS, REGIONS = ("relu1", "relu5 <b>"), ("all", "V1$", "LOC")


def scores(value: float) -> dict[str, Score]:
    return {
        "identification": Score(value, value - 0.05, value + 0.05),
        "pattern": Score(value / 2),
        "profile": Score(value / 3, value / 4, value / 2),
    }


def results(level: float) -> SetResults:
    """Layers and regions whose scores all differ; one is missing."""
    by_layer = {layer: scores(level + 0.1 * i) for i, layer in enumerate(LAYERS)}
    regions = {
        region: {layer: scores(level + 0.05 * i - 0.02 * j) for j, layer in enumerate(LAYERS)}
        for i, region in enumerate(REGIONS)
    }
    del regions["LOC"]["relu1"]["identification"]
    return SetResults(by_layer, {layer: scores(0.9) for layer in LAYERS}, regions)


FOUND = FeatureResults(
    {"test": results(0.6), "imagery": results(0.5)},
    {"pixel_correlation": Score(0.875)},
    {"relu1": (1600, 12)},
)


def test_what_was_written_is_read_and_files_without_it_too():
    written = Results({"test": {"ssim": Score(0.5)}}, features=FOUND)
    content = json.loads(json.dumps(written.to_json(), allow_nan=False))
    assert content["version"] == 2
    assert content["features"]["chance"] == {"identification": 0.5, "pattern": 0, "profile": 0}
    found = parse(content, 0, "scores.json")
    assert found.features.recovery == FOUND.recovery and found.features.units == FOUND.units
    for split, expected in FOUND.sets.items():
        for part in ("decoded", "span", "regions"):
            np.testing.assert_equal(
                getattr(found.features.sets[split], part), getattr(expected, part)
            )
    without = {key: value for key, value in content.items() if key != "features"}
    assert parse(without, 0, "scores.json").features is None
    content["features"]["sets"]["test"]["decoded"]["relu1"] = 3
    with pytest.raises(Exception, match="features.sets.test.decoded.relu1 is a int"):
        parse(content, 0, "scores.json")


@pytest.fixture
def imagined(copy):
    """The simulated run whose letters were imagined, with decoded features and recovered images."""
    with np.load(copy / "reconstructions.npz") as archive:
        arrays = dict(archive)
    arrays["split"] = np.where(arrays["split"] == "letters", "imagery", arrays["split"])
    test = np.flatnonzero(arrays["split"] == "test")[:3]
    arrays["recovered"] = 0.5 * arrays["targets"][test] + 0.25
    arrays["recovered_stimulus"] = arrays["stimulus"][test]
    np.savez(copy / "reconstructions.npz", **arrays)
    content = json.loads((copy / "scores.json").read_text())
    content["sets"]["imagery"] = content["sets"].pop("letters")
    extra = Results({"test": {"ssim": Score(0.5)}}, features=FOUND).to_json()
    (copy / "scores.json").write_text(json.dumps(content | {"features": extra["features"]}))
    return copy


def test_the_page_shows_layers_regions_and_recovered_images(imagined):
    page = Page(report.write(imagined))
    left_out = "1,600 units, of which 12 never vary in training and are left out"
    assert left_out in (imagined / "report.html").read_text()
    drawn = {path.name for path in (imagined / "figures").iterdir()}
    assert drawn >= {"features.png", "feature_regions.png", "imagery_feature_regions.png"}
    assert "Decoded features" in page.text and "from simulated responses" in page.text
    assert "relu5 <b>" in page.text and "60.0 %" in page.text and "55.0 – 65.0" in page.text
    table = page.text.split("Layer Feature identification")[1].split("Lines at the points")[0]
    assert "chance 50.0 % 0.000 0.000 50.0 %" in table and "90.0 %" in table
    alts = [image["alt"] for image in page.images]
    (matrix,) = [alt for alt in alts if "V1$: relu1 65.0 %" in alt]
    assert "LOC: relu1 –" in matrix
    recovered = [alt for alt in alts if alt.startswith("from true features")]
    assert len(recovered) == 3
    assert "Recovery check" in page.text and page.text.count("1.000") >= 3  # linear in the target


def test_imagined_images_stand_in_a_section_of_their_own(imagined):
    run = workdir.read(imagined)
    html = report.write(imagined).read_text()
    sections = {part.split("</h2>")[0]: part for part in html.split("<h2>")}
    imagery = sections["Imagery"]
    name = run.names[run.rows("imagery")[0]]
    assert f"target: {name}" in imagery and "chance" in imagery
    assert "does not" not in imagery and "Kneeland et al. 2025" in imagery
    value = run.scores.sets["imagery"]["pixel_correlation"].value
    assert f"{value:.3f}".replace("-", "−") in imagery
    assert "50.0 %" in imagery and "Decoded features of imagined images" in imagery
    for title in ("Scores", "Every image", "Decoded features"):
        assert "magery" not in sections[title] and f"target: {name}" not in sections[title]
    assert "shapes" in sections["Scores"]


def test_the_matrix_prints_every_value_and_marks_chance():
    drawing = feature_charts.regions(results(0.6), LIGHT)
    axes, bar = drawing.axes
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["60", "65", "–", "58", "63", "68"]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0 %", "chance 50 %", "100 %"]
    panels = feature_charts.layers(results(0.6), LIGHT).axes
    assert [panel.get_title(loc="left").split()[0] for panel in panels] == [
        "Feature",
        "Pattern",
        "Profile",
    ]
    decoded = panels[0].get_lines()[1].get_ydata()
    np.testing.assert_allclose(decoded, [0.6, 0.7])


def test_a_run_without_features_or_imagery_shows_neither(photographs):
    found = features.sections(workdir.read(photographs), "")
    assert found == {"features": None, "recovered": None, "imagery": None}
