"""Which pretrained network the feature term compares by, and in which of its layers."""

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.methods.gan.method import GAN
from fmri_jax.methods.gan.step import TrainStep
from fmri_jax.pretrained import load
from tests.methods.gan.conftest import SMALL
from tests.pretrained.caffe_messages import write_net
from tests.pretrained.test_caffemodel import caffenet_blobs


@pytest.mark.parametrize(
    ("comparator", "layers"), [("vgg16", ("relu2_2", "relu3_3")), ("caffenet", ("relu2", "norm1"))]
)
def test_every_comparator_teaches_the_generator(comparator, layers, tmp_path):
    path = random_caffenet(tmp_path) if comparator == "caffenet" else ""
    changes = {"comparator": comparator, "comparator_layers": layers, "image_weight": 0.0}
    config = dataclasses.replace(SMALL, **changes, comparator_weights=str(path))
    method = GAN(config)
    step = TrainStep(method.networks(48, 3), config)
    assert type(step.networks.comparator).__name__.lower() == comparator
    weights = method._comparator_weights()
    generated, seen = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 2, 48, 48, 3)), "f")
    wanted = jax.jit(step.features)(weights, seen)
    terms_and_gradient = jax.jit(step.terms_of_images)
    terms, toward = terms_and_gradient(weights, generated, seen, wanted)
    pair = jnp.stack([generated[0], seen[0]])
    own = jax.jit(step.networks.comparator.apply)({"params": weights}, pair)
    for layer in layers:
        np.testing.assert_allclose(own[layer][1], wanted[layer][0], rtol=1e-4, atol=1e-4)
    assert float(terms["feature"]) > 0 and float(jnp.abs(toward).max()) > 0
    closer = generated - 1e-2 * toward / jnp.abs(toward).max()
    after = terms_and_gradient(weights, closer, seen, wanted)[0]
    assert float(after["feature"]) < float(terms["feature"])


def test_a_layer_that_is_not_there_is_refused_with_those_that_are():
    config = dataclasses.replace(SMALL, comparator_layers=("relu9",))
    step = TrainStep(GAN(config).networks(32, 3), config)
    with pytest.raises(InputError, match=r"'relu9', which alexnet has not at 32 pixels.*relu2"):
        jax.eval_shape(step.features, load("alexnet"), jnp.zeros((1, 32, 32, 3)))


def test_a_missing_weight_file_is_named(tmp_path):
    config = dataclasses.replace(SMALL, comparator="vgg16", comparator_weights=str(tmp_path / "no"))
    with pytest.raises(InputError, match="no is not a file"):
        GAN(config)._comparator_weights()


def random_caffenet(folder: pathlib.Path) -> pathlib.Path:
    """A weight file of CaffeNet's shapes, random."""
    path = folder / "caffenet.caffemodel"
    path.write_bytes(write_net(caffenet_blobs()))
    return path
