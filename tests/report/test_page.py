"""The page: whole, self-contained, escaped, and true to the files."""

import base64
import dataclasses
import io
import json
import pathlib
import re
import time
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fmri_jax import report
from fmri_jax.cli import main
from fmri_jax.report import page
from fmri_jax.report.figures import pictures
from fmri_jax.report.io import workdir
from tests.report.synthetic_workdirs import write_photographs

_VOID = {"meta", "img", "source", "br", "link", "input"}


class Page(HTMLParser):
    """Collects the images and text of a page and checks that every element is closed."""

    def __init__(self, path: pathlib.Path):
        super().__init__()
        self.images: list[dict[str, str]] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self._open

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.addresses += [values[key] for key in ("src", "srcset", "href") if key in values]
        if tag == "img":
            self.images.append(values)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def colour_page(photographs) -> Page:
    return Page(report.write(photographs))


@pytest.fixture(scope="module")
def binary_page(binary) -> Page:
    return Page(report.write(binary))


def test_page_is_self_contained(photographs, colour_page):
    assert colour_page.addresses
    assert all(a.startswith("data:image/png;base64,") for a in colour_page.addresses)
    html = (photographs / "report.html").read_text()
    assert "http" not in html and "<script" not in html and "@import" not in html
    assert all(image["alt"] for image in colour_page.images)


def test_figures_are_written(photographs, binary, colour_page, binary_page):
    expected = {"reconstructions.png", "scores.png", "images.png", "curves.png"}
    assert {path.name for path in (photographs / "figures").iterdir()} == expected
    assert {path.name for path in (binary / "figures").iterdir()} == expected | {"folds.png"}


def test_every_test_image_stands_beside_its_reconstruction(photographs, colour_page):
    """Decodes the page's own pictures and compares them with the arrays, pixel by pixel."""
    run = workdir.read(photographs)
    shown = [_pixels(image["src"]) for image in colour_page.images if image["alt"][:6] == "target"]
    for split in ("test", "shapes", "letters"):
        for target in run.targets[run.rows(split)]:
            assert any(np.array_equal(pictures.to_uint8(target), pixels) for pixels in shown)
    alts = [image["alt"].split(":")[0] for image in colour_page.images]
    assert alts.count("target") == alts.count("reconstructed") == alts.count("ridge")
    gallery = alts.index("target", 9 + 1)  # past best, median and worst
    assert alts[gallery : gallery + 3] == ["target", "reconstructed", "ridge"]


def test_highlights_are_best_median_and_worst(photographs):
    run = workdir.read(photographs)
    values = sorted(run.pixel_correlation[run.rows("test")])
    shown = {stack.rank: float(stack.value.replace("−", "-")) for stack in pictures.highlights(run)}
    assert shown["best"] == pytest.approx(values[-1], abs=5e-4)
    assert shown["worst"] == pytest.approx(values[0], abs=5e-4)
    assert shown["median"] == pytest.approx(np.sort(values)[len(values) // 2], abs=5e-4)


def test_numbers_of_the_page_are_those_of_the_files(photographs, colour_page):
    scores = json.loads((photographs / "scores.json").read_text())
    assert f"{scores['sets']['test']['ssim']['value']:.3f}" in colour_page.text
    assert f"{100 * scores['sets']['test']['identification_2way']['low']:.1f}" in colour_page.text
    for values in scores["baselines"].values():
        assert f"{values['pixel_correlation']['value']:.3f}".replace("-", "−") in colour_page.text
    assert "4,985 voxels of simulated fMRI" in colour_page.text


def test_simulated_data_are_called_simulated(colour_page, binary_page):
    assert "Simulated data" in colour_page.text
    assert "nothing about a brain" in colour_page.text
    assert "imulated" not in binary_page.text


def test_binary_run_shows_cut_images_and_folds(binary, binary_page):
    run = workdir.read(binary)
    cut = [image for image in binary_page.images if image["alt"].startswith("cut at 0.5")]
    assert len(cut) == 60 + 3
    assert set(np.unique(_pixels(cut[0]["src"]))) <= {0, 255}
    assert run.binary
    assert "20 folds" in binary_page.text and "trained without it" in binary_page.text
    assert any("each fold" in image["alt"] for image in binary_page.images)


def test_text_is_escaped(copy):
    content = json.loads((copy / "run.json").read_text())
    content["title"] = content["text"] = '<script>alert("x")</script>'
    content["data"]["name"] = '"><img src=x onerror=alert(1)>'
    (copy / "run.json").write_text(json.dumps(content))
    scores = json.loads((copy / "scores.json").read_text())
    scores["per_image"][0]["stimulus_name"] = '" onload="alert(1)'
    scores["notes"] = [{"kind": "remark", "severity": "info", "text": "<b>bold</b>"}]
    (copy / "scores.json").write_text(json.dumps(scores))
    html = report.write(copy).read_text()
    Page(copy / "report.html")
    assert "<script" not in html and "<img src=x" not in html and "<b>bold" not in html
    assert '" onload="' not in html


def test_run_without_curves_ridge_or_folds(copy):
    (copy / "metrics.jsonl").unlink()
    with np.load(copy / "reconstructions.npz") as archive:
        kept = {key: archive[key] for key in archive if key not in ("baseline_ridge", "fold")}
    np.savez(copy / "reconstructions.npz", **kept)
    content = json.loads((copy / "scores.json").read_text())
    (copy / "scores.json").write_text(json.dumps({"version": 2, "sets": content["sets"]}))
    page = Page(report.write(copy))
    assert "Training curves" not in page.text
    assert not any(image["alt"].startswith("ridge") for image in page.images)


def test_full_size_run_is_quick_and_light(tmp_path):
    """50 test images of 64 pixels: CPU time of the process, so that neighbours do not count."""
    run = write_photographs(tmp_path / "run")
    start = time.process_time()
    page = report.write(run)
    assert time.process_time() - start < 10  # about 3 s; slower machines get room
    assert page.stat().st_size < 8e6


def test_incompressible_large_images_stay_under_the_limit(photographs):
    """227 pixels of pure noise, the paper's size: pictures shrink until they fit."""
    run = workdir.read(photographs)
    noise = np.random.default_rng(0).random((len(run.targets), 227, 227, 3), np.float32)
    large = dataclasses.replace(run, targets=noise, reconstructions=noise, baselines={})
    shown = pictures.galleries(large)
    size = sum(len(p.src) for gallery in shown for s in gallery.stacks for p in s.pictures)
    assert size < 6e6


def test_command_writes_the_same_page_again(photographs, colour_page, tmp_path, capsys):
    page = photographs / "report.html"
    first = page.read_text()
    assert main(["report", str(photographs)]) == 0
    assert capsys.readouterr().out.strip() == str(page)
    assert page.read_text() == first
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def _pixels(address: str) -> np.ndarray:
    """The pixels of a `data:` address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(re.sub("^.*,", "", address)))))


@pytest.mark.parametrize(
    ("n", "ranks", "sentence"),
    [(1, ["only"], "The only test image"), (2, ["best", "worst"], "The best and the worst test")],
)
def test_few_test_images_are_all_shown_and_have_no_false_intervals(tmp_path, n, ranks, sentence):
    folder = write_photographs(tmp_path / "run", n_test=n, size=16)
    content = json.loads((folder / "scores.json").read_text())
    test = content["sets"]["test"]
    content["sets"]["test"] = {name: {"value": of["value"]} for name, of in test.items()}
    (folder / "scores.json").write_text(json.dumps(content))
    assert [stack.rank for stack in pictures.highlights(workdir.read(folder))] == ranks
    page = Page(report.write(folder))
    assert sentence in page.text and "the median" not in page.text
    assert "Test images, without intervals" in page.text and "Lines on the bars" not in page.text


def test_cards_name_shuffled_fmri_first(photographs):
    run = workdir.read(photographs)
    value = run.scores.baselines["shuffled_fmri"]["pixel_correlation"].value
    beside = page.context(run, {})["headlines"][0]["beside"]
    assert beside[0] == f"shuffled fMRI {value:.3f}".replace("-", "−")
    assert [text.split()[0] for text in beside[1:]] == ["ridge", "mean"]


def test_warnings_stand_out_and_differences_explain_shaded_cells(copy):
    content = json.loads((copy / "scores.json").read_text())
    gap = {"value": 0.02, "low": -0.01, "high": 0.05, "p": 0.2}
    content["baselines"]["ridge"]["ssim"] = content["sets"]["test"]["ssim"]["value"] - 0.02
    content["differences"] = {"ridge": {"ssim": gap}}
    (copy / "scores.json").write_text(json.dumps(content))
    html = report.write(copy).read_text()
    assert '<li class="warning">The fMRI is simulated' in html
    assert 'title="open, difference 0.020 (−0.010 – 0.050), p = 0.200"' in html
