"""The example goes from a recording to scores and a picture, here with a generator of noise."""

import runpy
import sys

import numpy as np
import pytest
from PIL import Image

from examples import released_generator
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError
from fmri_jax.methods.gan.released import load_released
from tests.pretrained.caffe_messages import write_net
from tests.pretrained.released_layers import random_layers
from tests.pretrained.test_released_generator import VOXELS


def recording(voxels):
    """Two training images and three test images, shown twice each."""
    rng = np.random.default_rng(0)
    stimulus = np.repeat(np.arange(5), 2).astype(np.int32)
    return Recording(
        fmri=rng.normal(size=(10, voxels)).astype(np.float32),
        stimulus=stimulus,
        images=rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8),
        run=np.zeros(10, np.int32),
        rois={"VC": np.ones(voxels, bool)},
        stimulus_names=tuple("abcde"),
        split=np.where(stimulus < 2, "train", "test"),
    )


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    path = tmp_path_factory.mktemp("released") / "generator.caffemodel"
    path.write_bytes(write_net(random_layers(VOXELS)))
    return str(path)


def test_the_example_scores_and_draws_the_test_images(generator, tmp_path, capsys):
    picture = tmp_path / "made.png"
    released_generator.reconstruct(recording(VOXELS), load_released(generator), str(picture))
    assert Image.open(picture).size == (3 * 227, 2 * 227)
    printed = capsys.readouterr().out
    assert "pixel_correlation" in printed and "identification_2way" in printed


def test_a_recording_of_other_voxels_is_refused(generator, tmp_path):
    with pytest.raises(InputError, match="takes 30 voxels, and these responses have 31"):
        released_generator.reconstruct(
            recording(VOXELS + 1), load_released(generator), str(tmp_path / "made.png")
        )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "the following arguments are required: generator"),
        (["nowhere.caffemodel"], 1, "nowhere.caffemodel is not a file: download"),
        (["nowhere.caffemodel", "sub-1"], 2, "invalid choice: 'sub-1'"),
    ],
)
def test_wrong_arguments_end_with_a_sentence_before_any_download(
    tmp_path, monkeypatch, capsys, arguments, code, sentence
):
    """Run as a script, in this process; Python prints what it exits with, and returns 1."""
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["released_generator.py", *arguments])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(released_generator.__file__, run_name="__main__")
    left = end.value.code
    found = (1, left) if isinstance(left, str) else (left, capsys.readouterr().err)
    assert found[0] == code and sentence in found[1]
    assert not (tmp_path / "cache").exists()
