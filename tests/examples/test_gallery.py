"""Every example runs, and its page in the gallery shows this very script and what it prints."""

import functools
import importlib.util
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

import fmri_jax as fj

ROOT = pathlib.Path(__file__).parents[2]
PAGES = ROOT / "docs" / "gallery"
MOST_BYTES = 150_000  # of a picture
# Code -> what is executed in its place here.
SHORTER = {"n_steps=300": "n_steps=3", "n_voxels=100),": "n_voxels=100, scales=1),"}


def _gallery():
    path = ROOT / "docs" / "tools" / "gallery.py"
    spec = importlib.util.spec_from_file_location("gallery", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gallery = _gallery()


@pytest.fixture(scope="module", autouse=True)
def simulate_once():
    """Examples share a simulated subject where they ask for the same one."""
    simulate = fj.datasets.make_simulated_subject
    with pytest.MonkeyPatch.context() as patch:
        shared = functools.lru_cache(simulate)
        patch.setattr(fj.datasets, "make_simulated_subject", shared, raising=False)
        yield


@pytest.mark.parametrize("stem", gallery.ORDER)
def test_an_example_runs_and_its_page_is_up_to_date(tmp_path, stem):
    if stem == "nilearn_masker":
        pytest.importorskip("nilearn", reason="the example needs the extra 'nifti'")
    title, introduction, cells = gallery.read(ROOT / "examples" / f"{stem}.py")
    codes = [cell.code for cell in cells]
    for cell in cells:
        for long, short in SHORTER.items():
            cell.code = cell.code.replace(long, short)
    gallery.execute(cells, stem, tmp_path)
    for cell, code in zip(cells, codes, strict=True):
        cell.code = code
    made = gallery.page(stem, 0, introduction, title, cells)
    kept = (PAGES / f"{stem}.md").read_text(encoding="utf-8")
    assert without_numbers(made) == without_numbers(kept), "run `make gallery`"
    assert "simulated" in made.lower()
    pictures = [name for cell in cells for name in cell.pictures]
    assert pictures and sorted(pictures) == sorted(p.name for p in PAGES.glob(f"{stem}_*.png"))
    for path in (folder / name for folder in (tmp_path, PAGES) for name in pictures):
        assert path.stat().st_size < MOST_BYTES
        assert np.asarray(Image.open(path).convert("L"), float).std() > 10


def test_every_script_of_the_gallery_is_listed():
    """Scripts that need a download of their own are the only ones outside."""
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert set(gallery.ORDER) == scripts - {"released_generator"}
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    assert index == gallery.index(), "run `make gallery`"


def test_scripts_are_short():
    for stem in gallery.ORDER:
        text = (ROOT / "examples" / f"{stem}.py").read_text(encoding="utf-8")
        assert 30 <= len(text.splitlines()) <= 90, stem


def without_numbers(text: str) -> str:
    """Outputs differ in the last digits from machine to machine; code has to be the same."""
    printed = re.compile(r"(?<=```text\n).*?(?=\n```)", re.DOTALL)
    text = printed.sub(lambda block: re.sub(r"[-+]?\d[\d.]*", "#", block[0]), text)
    return re.sub(r"executed in \d+ s", "executed", text)
