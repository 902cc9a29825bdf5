"""The deep generator as a canvas, with random weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.methods.feature_decoding import canvases
from fmri_jax.methods.feature_decoding.config import Config
from fmri_jax.networks import DeepGenerator


@pytest.fixture(scope="module")
def params():
    """Random weights of the generator."""
    shapes = jax.eval_shape(
        DeepGenerator(image_size=129).init, jax.random.key(0), jnp.zeros((1, 4096))
    )["params"]
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda x: jnp.asarray(rng.standard_normal(x.shape, np.float32) / np.sqrt(x.shape[0])),
        shapes,
    )


@pytest.fixture
def weights(params, monkeypatch):
    """They stand in the place of published ones; and which were asked for."""
    asked = []

    def load(name, path=None):
        asked.append((name, path))
        return params

    monkeypatch.setattr(pretrained, "load", load)
    return params, asked


@pytest.mark.parametrize("channels", [1, 3])
def test_latents_stay_between_zero_and_their_bounds(weights, tmp_path, channels):
    bounds = np.linspace(2, 6, 4096)
    (tmp_path / "fc7.txt").write_text(" ".join(map(str, bounds)))
    config = Config(
        renderer="generator",
        generator="relu7",
        generator_weights="mine.pt",
        generator_bounds=str(tmp_path / "fc7.txt"),
        latent_decay=0.5,
    )
    canvas = canvases.build(config, np.zeros((2, 32, 32, channels), np.uint8))
    assert weights[1] == [("generator_relu7", "mine.pt")]
    start = canvas.start({}, 2)
    np.testing.assert_array_equal(start, np.zeros((2, 4096)))
    moved = np.asarray(canvas.project(jnp.asarray([np.full(4096, -1.0), np.full(4096, 8.0)])))
    np.testing.assert_array_equal(moved[0], 0)
    np.testing.assert_allclose(moved[1], np.minimum(4.0, bounds), rtol=1e-6)
    images = canvas.images(moved)
    made = DeepGenerator(image_size=129).apply({"params": weights[0]}, moved)
    shrunk = jax.image.resize(made, (2, 32, 32, 3), "bilinear", antialias=True)
    expected = shrunk if channels == 3 else shrunk.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_images_that_no_generator_makes_are_rejected(weights):
    for shape in ((2, 256, 256, 3), (2, 32, 16, 3)):
        with pytest.raises(InputError, match="makes squares of up to 224"):
            canvases.build(Config(renderer="generator"), np.zeros(shape, np.uint8))
