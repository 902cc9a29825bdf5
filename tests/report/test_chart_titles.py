"""Titles of panels are read in full, however long the names of scores and baselines are."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.registry import METRICS
from fmri_jax.report.figures import charts
from fmri_jax.report.figures.theme import LIGHT


def test_no_title_is_cut(monkeypatch):
    assert not cut()
    monkeypatch.setattr(charts, "_wrapped", lambda title, *_: title)
    assert "Identification without the mean" in cut()


def cut() -> list[str]:
    """The metrics whose titles reach beyond the figure or into the panel on the right."""
    labels = ["this run", "ridge for identification", "mean training image"]
    longest = sorted(METRICS, key=lambda name: len(METRICS[name].label))[-3:]
    panels = {metric: [Score(0.5)] * 3 for metric in longest}
    drawing = charts.bar_panels(labels, panels, {}, LIGHT, ["accent", "ridge", "other"])
    canvas = FigureCanvasAgg(drawing)
    canvas.draw()
    renderer, found = canvas.get_renderer(), []
    places = [axes.get_position() for axes in drawing.axes]
    for axes, place, metric in zip(drawing.axes, places, panels, strict=False):
        label = METRICS[metric].label
        texts = [t for t in axes.findobj(Text) if _plain(t).startswith(f"{label} ")]
        box = texts[0].get_window_extent(renderer)
        beside = [
            other.get_tightbbox(renderer).x0
            for other, at in zip(drawing.axes, places, strict=True)
            if at.x0 > place.x1 and abs(at.y0 - place.y0) < 0.01 and other.get_visible()
        ]
        if box.x1 > min([*beside, drawing.bbox.width]) + 1 or box.y1 > drawing.bbox.height + 1:
            found.append(label)
    return found


def _plain(text: Text) -> str:
    return text.get_text().replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")
