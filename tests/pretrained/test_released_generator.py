"""A released generator against its prototxt's layers in PyTorch, which lays them out as Caffe."""

import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.methods.gan.released import load_released
from fmri_jax.pretrained.released_generator import load_generator
from tests.pretrained.caffe_messages import write_net
from tests.pretrained.released_layers import DECONVOLUTIONS, HIDDEN, in_pytorch, random_layers

VOXELS = 30


@pytest.fixture(scope="module")
def layers():
    return random_layers(VOXELS)


@pytest.fixture(scope="module")
def file(layers, tmp_path_factory):
    path = tmp_path_factory.mktemp("released") / "generator.caffemodel"
    path.write_bytes(write_net(layers))
    return path


def test_pictures_equal_pytorchs(layers, file):
    fmri = np.random.default_rng(1).normal(size=(3, VOXELS)).astype(np.float32)
    expected = in_pytorch(layers, fmri, slice(14, 241)) / 255
    inside = (expected > 0) & (expected < 1)
    assert 0.2 < inside.mean() < 1  # most of the comparison is of values that were not cut
    found = load_released(file).reconstruct(jnp.asarray(fmri))
    assert found.shape == (3, 227, 227, 3)
    np.testing.assert_allclose(found, np.clip(expected, 0, 1), atol=2e-5)


def test_the_network_is_the_published_one_but_for_its_voxels(file):
    network, params = load_generator(file)
    assert (network.image_size, network.width, network.hidden) == (227, 1.0, HIDDEN)
    assert params["fc7"]["kernel"].shape == (VOXELS, HIDDEN)
    assert {"fc7", "fc6", "fc5", *(name for name, *_ in DECONVOLUTIONS)} == set(params)


def test_another_network_is_rejected(layers, tmp_path):
    path = tmp_path / "w.caffemodel"
    path.write_bytes(write_net({"conv1": [np.ones((2, 2), np.float32)]}))
    with pytest.raises(InputError, match=r"no layer defc7 .* but conv1/0: expected a generator"):
        load_generator(path)
    path.write_bytes(write_net({name: layers[name] for name in ("defc7", "defc6", "defc5")}))
    with pytest.raises(InputError, match="leaves conv3_1/bias.* empty"):
        load_generator(path)


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(InputError, match=r"download a released generator from .*7916144"):
        load_generator(tmp_path / "generator.caffemodel")
