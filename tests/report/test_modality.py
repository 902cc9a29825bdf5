"""A recording of spikes is never told of as voxels of fMRI."""

import json
import re
import shutil
from html.parser import HTMLParser

from matplotlib.figure import Figure
from matplotlib.text import Text

from fmri_jax import report
from fmri_jax.data import modality
from fmri_jax.report import modality_words, page

SPIKES = modality.words("spikes")
FOREIGN = re.compile(r"\bfMRI\b|\bvoxels?\b", re.IGNORECASE)


class Texts(HTMLParser):
    """All that a page shows, but for config and commands, and what users wrote."""

    def __init__(self, html: str):
        super().__init__()
        self.shown, self.hidden = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if self.hidden or tag in ("pre", "style") or "data-verbatim" in values:
            if tag not in ("img", "br", "meta", "i"):
                self.hidden.append(tag)
            return
        self.shown += [values.get(key) or "" for key in ("title", "alt")]

    def handle_endtag(self, tag):
        if self.hidden and self.hidden[-1] == tag:
            self.hidden.pop()

    def handle_data(self, data):
        if not self.hidden:
            self.shown.append(data)


def test_the_page_of_a_run_speaks_of_neurons(binary, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(binary, workdir, ignore=shutil.ignore_patterns("report.html", "figures"))
    run = json.loads((workdir / "run.json").read_text())
    run["title"], run["text"] = "Spikes, not fMRI", "No voxels here."
    run["data"] |= {"modality": "spikes", "voxels": 89}
    (workdir / "run.json").write_text(json.dumps(run))
    html = page.write_page(workdir).read_text()
    shown = " ".join(Texts(html).shown)
    assert not FOREIGN.findall(shown)
    assert "89 neurons" in shown and "of spiking activity" in shown and "Neurons" in shown
    assert "<h1 data-verbatim>Spikes, not fMRI</h1>" in html and "No voxels here." in html
    del run["data"]["modality"]
    (workdir / "run.json").write_text(json.dumps(run))
    assert "89 voxels of fMRI" in page.write_page(workdir).read_text()


def test_figures_and_table_of_a_comparison_are_in_the_words_of_its_runs(
    binary, tmp_path, monkeypatch
):
    workdir = tmp_path / "run"
    shutil.copytree(binary, workdir)
    run = json.loads((workdir / "run.json").read_text())
    run["data"]["modality"] = "spikes"
    (workdir / "run.json").write_text(json.dumps(run))
    texts = []
    monkeypatch.setattr(
        modality_words,
        "figure",
        lambda drawing, words: texts.extend(words(x.get_text()) for x in drawing.findobj(Text)),
    )
    compared = report.compare({"A": workdir, "fMRI of B": workdir}, tmp_path / "out")
    table = compared.markdown.replace("fMRI of B", "")
    assert table != compared.markdown and "*shuffled spiking activity*" in table
    assert not FOREIGN.findall(table)
    texts = [text.replace("fMRI of B", "") for text in texts]
    assert "shuffled spiking activity" in texts and not FOREIGN.findall(" ".join(texts))


def test_texts_are_put_into_other_words_and_code_is_not():
    assert SPIKES("Shuffled fMRI: a voxel's noise") == "Shuffled spiking activity: a neuron's noise"
    assert SPIKES("fMRI was noise. Voxels and n_voxels") == (
        "Spiking activity was noise. Neurons and n_voxels"
    )
    assert modality.words("meg")("fMRI of 3 voxels") == "MEG of 3 sensors"
    assert modality.words("fMRI") is modality.words(None) is None
    html = '<p title="a voxel">fMRI<pre>fMRI <b>voxel</b></pre><h1 data-verbatim>fMRI</h1> voxel'
    assert modality_words.page(html, SPIKES) == (
        '<p title="a neuron">Spiking activity<pre>fMRI <b>voxel</b></pre>'
        "<h1 data-verbatim>fMRI</h1> neuron"
    )


def test_figures_are_too_with_the_labels_of_their_ticks():
    drawing = Figure()
    axes = drawing.subplots()
    axes.set_title("voxel 3")
    axes.set_yticks([0, 1], ["ridge", "shuffled fMRI"])
    modality_words.figure(drawing, SPIKES)
    drawing.canvas.draw()
    assert axes.get_title() == "neuron 3"
    assert [text.get_text() for text in axes.get_yticklabels()][1] == "shuffled spiking activity"
