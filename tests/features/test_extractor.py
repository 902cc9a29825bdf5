"""Features of a loaded network: PyTorch's numbers, blocks, grey images, and what is rejected."""

import flax.linen as nn
import jax
import numpy as np
import pytest
import requests

import fmri_jax as fj
from fmri_jax import networks, pretrained
from fmri_jax.errors import InputError
from fmri_jax.features import Features, Preprocessing, extractor
from fmri_jax.features.registry import NETWORKS
from fmri_jax.networks import AlexNet
from tests.peers import peer

torch = peer("torch")

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
DEVIATION = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((5, 64, 72, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def alexnet():
    return fj.features.load("alexnet", layers=("relu1", "relu2"), preprocessing=Preprocessing(64))


def in_pytorch(images):
    """The first two convolutions of torchvision's AlexNet, of images resized to 64 px."""
    functional, params = torch.nn.functional, pretrained.load("alexnet")
    x = torch.tensor(images).permute(0, 3, 1, 2)
    x = functional.interpolate(x, (64, 64), mode="bilinear", antialias=True)
    x, found = (x - MEAN) / DEVIATION, {}
    for layer, stride in (("1", 4), ("2", 1)):
        kernel, bias = (
            torch.tensor(np.asarray(params[f"conv{layer}"][name])) for name in ("kernel", "bias")
        )
        x = functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride, 2).relu()
        found[f"relu{layer}"] = x.permute(0, 2, 3, 1).numpy()
        x = functional.max_pool2d(x, 3, 2)
    return found


def test_features_equal_pytorchs_in_blocks_of_any_size(alexnet, images, monkeypatch):
    expected = in_pytorch(images)
    monkeypatch.setattr(extractor, "BLOCK", 2)  # the last block is filled up
    found = alexnet(images)
    assert list(found) == ["relu1", "relu2"]
    for name, value in expected.items():
        assert isinstance(found[name], np.ndarray)
        np.testing.assert_allclose(found[name], value, atol=1e-5 * value.max())


def test_eight_bits_and_grey_are_the_same_images(alexnet, images):
    grey = np.rint(255 * images[:2, ..., :1]).astype(np.uint8)
    rgb = np.repeat(grey, 3, axis=-1) / np.float32(255)
    np.testing.assert_array_equal(alexnet(grey)["relu2"], alexnet(rgb)["relu2"])


def test_by_default_every_layer_at_the_networks_own_size():
    features = fj.features.load("alexnet")
    assert features.preprocessing == NETWORKS["alexnet"].preprocessing
    shapes = jax.eval_shape(
        lambda x: features.network.activations(features.params, features.preprocessing(x)),
        jax.ShapeDtypeStruct((2, 64, 72, 1), np.float32),
    )
    assert set(shapes) == set(NETWORKS["alexnet"].layers) - set(NETWORKS["alexnet"].dense)
    assert shapes["relu1"].shape == (2, 55, 55, 64)


def test_layers_come_in_the_networks_order(images):
    found = fj.features.load("alexnet", preprocessing=Preprocessing())(images[:1, :32, :32])
    names = "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5"
    assert list(found) == names.split()


def test_sizes_can_stay_and_a_layer_that_then_is_missing_is_named(images):
    features = fj.features.load("alexnet", layers=["pool5"], preprocessing=Preprocessing())
    with pytest.raises(InputError, match="AlexNet has no layer 'pool5' at this image size"):
        features(images[:1, :32, :32])


def test_aspect_and_the_least_side():
    image = np.zeros((1, 20, 30, 3), np.float32)
    assert Preprocessing(40, keep_aspect=True)(image).shape == (1, 40, 60, 3)
    assert Preprocessing(least=64)(image).shape == (1, 64, 96, 3)
    assert Preprocessing(least=8)(image) is image


class Brightness(nn.Module):
    """In place of a network with a single output."""

    @nn.compact
    def __call__(self, x):
        return x.mean(axis=(1, 2)) * self.param("gain", nn.initializers.ones, (3,))


def test_the_array_of_a_single_output_is_named(images, monkeypatch):
    monkeypatch.setattr(networks, "ResNet50", Brightness)
    params = {"gain": np.full(3, 2, np.float32)}
    features = Features(NETWORKS["swav_resnet50"], params, None, Preprocessing())
    found = features(images)
    assert list(found) == ["pooled"]
    np.testing.assert_allclose(found["pooled"], 2 * images.mean(axis=(1, 2)), rtol=1e-5)


def test_what_cannot_be_had_is_named_with_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path))

    def unreachable(url, **options):
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(requests, "get", unreachable)
    with pytest.raises(InputError, match=r"berkeleyvision.*put it at .*bvlc_reference"):
        fj.features.load("caffenet")


def test_unknown_names_and_wrong_images_are_rejected(alexnet):
    with pytest.raises(InputError, match="'alexnett' is not a known feature network: did you mean"):
        fj.features.load("alexnett")
    with pytest.raises(InputError, match="AlexNet has no layer 'conv6'"):
        fj.features.load("alexnet", layers=("conv6",))
    for wrong, message in (
        (np.zeros((2, 64, 64), np.float32), "expected \\(n, height, width, channels\\)"),
        (np.full((1, 64, 64, 3), 255.0), "divide 8-bit images by 255"),
        (np.zeros((1, 64, 64, 2), np.float32), "2 channels: expected 1"),
    ):
        with pytest.raises(InputError, match=message):
            alexnet(wrong)


def test_fully_connected_layers_come_with_the_weights_that_have_them(monkeypatch):
    """VGG19's weights have them always; they are kept only where a layer needs them."""
    asked = []

    def load(name, path):
        asked.append(name)
        return {"conv1": {}, "fc6": {}, "fc7": {}, "fc8": {}}

    monkeypatch.setattr(pretrained, "load", load)
    for name, layers, weights, dense in (
        ("alexnet", ("relu5",), "alexnet", False),
        ("alexnet", ("relu5", "relu7"), "alexnet_dense", True),
        ("vgg19", ("conv5_4",), "vgg19", False),
        ("vgg19", None, "vgg19", True),
    ):
        assert ("fc6" in fj.features.load(name, layers).params) == dense
        assert asked.pop() == weights


def test_the_network_is_the_one_in_networks():
    assert NETWORKS["alexnet"].module() == AlexNet()
