"""The nilearn example runs, and decodes images that it never saw."""

import importlib.util
import pathlib

import pytest

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "nilearn_masker.py"


def test_the_example_decodes_left_out_images(capsys):
    pytest.importorskip("nilearn", reason="the example needs the extra 'nilearn'")
    spec = importlib.util.spec_from_file_location("nilearn_masker", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    assert example.main() > 0.8
    assert "all black would be 6" in capsys.readouterr().out
