"""The README's example runs as pasted, and the page stays short."""

import ast
import pathlib
import re

import fmri_jax as fj

README = (pathlib.Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_scores_and_keeps_the_decoder(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(code.strip().splitlines()) <= 9
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    exec(code, scope)
    scores = ast.literal_eval(capsys.readouterr().out)
    assert scores["pixel_correlation"] > 0.25 and scores["identification_2way"] > 0.8
    again = fj.load_decoder("my_decoder").predict(scope["test"].fmri)
    assert (again == scope["images"]).all()


def test_it_is_short():
    assert len(README.splitlines()) <= 100
    assert len(README.split()) <= 750
