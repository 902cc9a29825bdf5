"""The ported networks against PyTorch's functions, layer by layer, on real photographs."""

import io
import pickle
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from PIL import Image

from fmri_jax import pretrained
from fmri_jax.networks import VGG16, AlexNet
from fmri_jax.pretrained import catalogue, sources
from tests.peers import peer

torch = peer("torch")

# torchvision's AlexNet: (stride, padding) of each convolution, and where 3 x 3 pools follow.
ALEXNET = {"conv1": (4, 2), "conv2": (1, 2), "conv3": (1, 1), "conv4": (1, 1), "conv5": (1, 1)}
POOLED = ("conv1", "conv2", "conv5")


@pytest.fixture(scope="module")
def astronaut():
    """(1, 227, 227, 3): the portrait that comes with scikit-image."""
    image = Image.fromarray(skimage.data.astronaut()).resize((227, 227))
    return np.asarray(image, np.float32)[None] / 255


@pytest.fixture(scope="module")
def photographs(recordings):
    """(4, 128, 128, 3): photographs of Caltech 101."""
    with zipfile.ZipFile(recordings / "photos_caltech101_128px.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::1500][:4]
        images = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]
    return np.stack([np.asarray(image, np.float32) / 255 for image in images])


def raw(network):
    """The arrays of the package's file as they are, HWIO, opened by plain pickle: it is trusted
    by its checksum here."""
    publication = catalogue.CATALOGUE[network.lower()].publications[0]
    path = sources.installed_file(publication)
    sources.check(path, publication)
    return pickle.loads(path.read_bytes())[f"{network}_0"]


def normalised(images):
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((torch.tensor(images) - mean) / deviation).permute(0, 3, 1, 2)


def convolved(activations, number, x, layer, stride, padding):
    """Before and after the ReLU, into `activations`; returns the latter."""
    kernel = torch.tensor(np.asarray(layer["kernel"])).permute(3, 2, 0, 1)
    bias = torch.tensor(np.asarray(layer["bias"]))
    x = activations[f"conv{number}"] = torch.nn.functional.conv2d(x, kernel, bias, stride, padding)
    x = activations[f"relu{number}"] = torch.relu(x)
    return x


def alexnet_in_pytorch(images):
    layers, x, activations = raw("AlexNet"), normalised(images), {}
    for i, (name, (stride, padding)) in enumerate(ALEXNET.items()):
        x = convolved(activations, i + 1, x, layers[f"Conv_{i}"], stride, padding)
        if name in POOLED and min(x.shape[2:]) >= 3:
            x = activations[f"pool{i + 1}"] = torch.nn.functional.max_pool2d(x, 3, 2)
    return activations


def assert_same(ours, theirs):
    assert set(ours) == set(theirs)  # `jit` sorts them
    for name, expected in theirs.items():
        expected = expected.permute(0, 2, 3, 1).numpy()
        scale = np.abs(expected).max()
        assert scale > 0
        np.testing.assert_allclose(ours[name], expected, atol=1e-5 * scale, err_msg=name)


def test_alexnet_equals_pytorch_on_a_photograph(astronaut):
    params = pretrained.load("alexnet")
    ours = jax.jit(AlexNet().apply)({"params": params}, jnp.asarray(astronaut))
    assert_same(ours, alexnet_in_pytorch(astronaut))


@pytest.mark.parametrize("size", [128, 64])
def test_alexnet_equals_pytorch_on_recorded_stimuli(photographs, size):
    images = photographs[:, :size, :size]
    ours = jax.jit(AlexNet().apply)({"params": pretrained.load("alexnet")}, jnp.asarray(images))
    assert_same(ours, alexnet_in_pytorch(images))


def test_vgg16_equals_pytorch_on_a_photograph(astronaut, empty_cache):
    images = astronaut[:, :64, 64:128]
    ours = jax.jit(VGG16().apply)({"params": pretrained.load("vgg16")}, jnp.asarray(images))
    layers, x, theirs, n = raw("VGG16"), normalised(images), {}, 0
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for i in range(1, convolutions + 1):
            x = convolved(theirs, f"{block}_{i}", x, layers[f"Conv_{n}"], 1, 1)
            n += 1
        x = theirs[f"pool{block}"] = torch.nn.functional.max_pool2d(x, 2)
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    ("network", "places"),
    [
        ("AlexNet", (0, 3, 6, 8, 10)),
        ("VGG16", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
    ],
)
def test_torchvisions_file_gives_the_same_parameters(network, places, tmp_path):
    """A .pth in torchvision's layout (OIHW, dense layers included), written by PyTorch."""
    layers, state = raw(network), {}
    for i, place in enumerate(places):
        kernel = torch.tensor(np.asarray(layers[f"Conv_{i}"]["kernel"])).permute(3, 2, 0, 1)
        state[f"features.{place}.weight"] = kernel.contiguous()
        state[f"features.{place}.bias"] = torch.tensor(np.asarray(layers[f"Conv_{i}"]["bias"]))
    state["classifier.1.weight"] = torch.zeros(3, 3)
    torch.save(state, tmp_path / "weights.pth")
    given = pretrained.load(network.lower(), path=tmp_path / "weights.pth")
    expected = pretrained.load(network.lower())
    for layer in expected:
        for name in ("kernel", "bias"):
            np.testing.assert_array_equal(given[layer][name], expected[layer][name])


@pytest.mark.parametrize(
    ("network", "channels"),
    [("alexnet", (64, 192, 384, 256, 256)), ("vgg16", (64, 128, 256, 512, 512))],
)
def test_lpips_heads_weigh_each_channel_of_its_layer(network, channels, empty_cache):
    heads = pretrained.load(f"lpips_{network}")
    assert tuple(head.shape for head in heads) == tuple((n,) for n in channels)
    assert all(float(head.min()) >= 0 for head in heads)
