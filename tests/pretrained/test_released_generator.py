"""A released generator against its prototxt's layers in PyTorch, which lays them out as Caffe."""

import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.methods.gan.released import load_released
from fmri_jax.pretrained.released_generator import load_generator
from tests.peers import peer
from tests.pretrained.caffe_messages import write_net

torch = peer("torch")

VOXELS, HIDDEN = 30, 24  # 4,096 hidden units are published
# Name, channels in, channels out, kernel, stride; padding is 1 everywhere.
DECONVOLUTIONS = [
    ("deconv5", 256, 256, 4, 2),
    ("conv5_1", 256, 512, 3, 1),
    ("deconv4", 512, 256, 4, 2),
    ("conv4_1", 256, 256, 3, 1),
    ("deconv3", 256, 128, 4, 2),
    ("conv3_1", 128, 128, 3, 1),
    ("deconv2", 128, 64, 4, 2),
    ("deconv1", 64, 32, 4, 2),
    ("deconv0", 32, 3, 4, 2),
]


def released_layers():
    """Random weights at He's scale, with biases, so that everything moves the picture."""
    rng = np.random.default_rng(0)

    def pair(shape, units, fan_in):
        weight = rng.normal(size=shape, scale=np.sqrt(2 / fan_in)).astype(np.float32)
        return [weight, rng.normal(size=units, scale=0.1).astype(np.float32)]

    dense = [("defc7", HIDDEN, VOXELS), ("defc6", HIDDEN, HIDDEN), ("defc5", 4096, HIDDEN)]
    layers = {name: pair((out, given), out, given) for name, out, given in dense}
    for name, given, out, size, stride in DECONVOLUTIONS:
        layers[name] = pair((given, out, size, size), out, given * (size / stride) ** 2)
    layers["deconv0"][0] *= 60  # to the range of pixels
    return layers


@pytest.fixture(scope="module")
def layers():
    return released_layers()


@pytest.fixture(scope="module")
def file(layers, tmp_path_factory):
    path = tmp_path_factory.mktemp("released") / "generator.caffemodel"
    path.write_bytes(write_net(layers))
    return path


def in_pytorch(layers, fmri):
    """(n, voxels) -> (n, 227, 227, 3) in RGB, 0 to 255, as the authors' test script does."""
    x = torch.tensor(fmri)
    for name in ("defc7", "defc6", "defc5"):
        x = torch.nn.functional.linear(x, *map(torch.tensor, layers[name]))
        x = torch.nn.functional.leaky_relu(x, 0.3)
    x = x.reshape(-1, 256, 4, 4)
    for name, _, _, _, stride in DECONVOLUTIONS:
        weight, bias = map(torch.tensor, layers[name])
        x = torch.nn.functional.conv_transpose2d(x, weight, bias, stride, padding=1)
        x = torch.nn.functional.leaky_relu(x, 0.3) if name != "deconv0" else x
    bgr = x[:, :, 14:241, 14:241] + torch.tensor([104.0, 117.0, 123.0])[:, None, None]
    return bgr.flip(1).permute(0, 2, 3, 1).numpy()


def test_pictures_equal_pytorchs(layers, file):
    fmri = np.random.default_rng(1).normal(size=(3, VOXELS)).astype(np.float32)
    expected = in_pytorch(layers, fmri) / 255
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
