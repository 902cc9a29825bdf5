"""Figures as they are drawn: none is empty, and no text is cut."""

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from fmri_jax import report
from fmri_jax.report.figures import montage
from fmri_jax.report.figures.theme import LIGHT, png
from fmri_jax.report.io import workdir
from tests.report.synthetic_workdirs import write_photographs

pytestmark = pytest.mark.draws


def test_no_figure_is_empty(copy, workdirs, tmp_path):
    report.write(copy)
    report.compare(workdirs, tmp_path / "compared")
    drawn = [*(copy / "figures").iterdir(), *(tmp_path / "compared" / "figures").iterdir()]
    assert len(drawn) >= 6
    for path in drawn:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert min(pixels.shape[:2]) > 200 and pixels.std() > 5


@pytest.mark.parametrize("n", [1, 3])
def test_a_title_above_few_images_is_not_cut(tmp_path, n):
    """Its end says that the data are simulated."""
    run = workdir.read(write_photographs(tmp_path / "run", n_test=n, size=16))
    drawing = montage.of_run(run, LIGHT)
    png(drawing)
    texts = [text for text in drawing.findobj(Text) if text.get_text()]
    assert any("(simulated" in text.get_text().replace("\n", " ") for text in texts)
    extents = [text.get_window_extent() for text in texts]
    assert all(0 <= box.x0 and box.x1 <= drawing.bbox.width for box in extents)
