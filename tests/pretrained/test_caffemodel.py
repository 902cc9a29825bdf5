"""Caffe's weight files, written by Google's protocol buffers and read by ours."""

import jax
import numpy as np
import pytest
import requests

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.networks import CaffeNet
from fmri_jax.pretrained.caffemodel import load_caffemodel
from tests.peers import peer
from tests.pretrained.caffe_messages import declare, write_net

torch = peer("torch")


def random(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def small_net():
    return {"conv1": [random(0, 4, 3, 2, 2), random(1, 4)], "fc2": [random(2, 30, 4)]}


@pytest.mark.parametrize("generation", ["layer", "layers"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("double", [True, False])
def test_blobs_come_back_from_every_form_of_the_message(tmp_path, generation, packed, double):
    path = tmp_path / "w.caffemodel"
    path.write_bytes(write_net(small_net(), generation, packed, double))
    found = load_caffemodel(path)
    assert list(found) == ["conv1/0", "conv1/1", "fc2/0"]
    for name, array in found.items():
        layer, number = name.split("/")
        expected = small_net()[layer][int(number)]
        if generation == "layers":
            expected = expected.reshape((1,) * (4 - expected.ndim) + expected.shape)
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, expected)


def test_a_truncated_file_is_refused_wherever_it_ends_inside_a_layer(tmp_path):
    """A cut between two layers leaves a shorter, whole message: porting then misses the rest."""
    whole, path = write_net(small_net()), tmp_path / "w.caffemodel"
    refused = 0
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            assert set(load_caffemodel(path)) < {"conv1/0", "conv1/1", "fc2/0"}
        except InputError as error:
            assert f"{path} is not a complete .caffemodel" in str(error)
            refused += 1
    assert refused >= len(whole) - 2


@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_are_read_or_refused_and_nothing_else(tmp_path, seed):
    rng, path = np.random.default_rng(seed), tmp_path / "w.caffemodel"
    content = np.frombuffer(write_net(small_net()), np.uint8).copy()
    for _ in range(50):
        damaged = content.copy()
        damaged[rng.integers(0, 120, 3)] = rng.integers(0, 256, 3)  # names, keys, sizes, shapes
        path.write_bytes(damaged.tobytes())
        try:
            found = load_caffemodel(path)
        except InputError:
            continue
        assert sum(array.size for array in found.values()) <= len(content) // 4


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no layer has weights"),
        (b'name: "CaffeNet"\nlayer { name: "data" }', "a field"),
        (b"\x80" * 30, "a number does not end"),
        (b"\x13\x00", "a field has wire type 3"),
        (b"\x10\x05", "a number stands where"),
    ],
)
def test_foreign_files_are_refused_with_one_sentence(tmp_path, content, what):
    path = tmp_path / "w.caffemodel"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"complete \.caffemodel \({what}.*get the file again"):
        load_caffemodel(path)


@pytest.mark.parametrize("shape", [[2**62] * 40, [2**62, 0], [3], []])
def test_a_blob_whose_shape_is_not_its_datas_is_rejected(tmp_path, shape):
    net = declare()["NetParameter"]()
    blob = net.layer.add(name="conv1").blobs.add()
    blob.shape.dim.extend(shape)
    blob.data.extend([] if 0 in shape else [1.0, 2.0])
    path = tmp_path / "w.caffemodel"
    path.write_bytes(net.SerializeToString())
    with pytest.raises(InputError, match=r"a blob (has 40 axes|of shape .* has . bytes)"):
        load_caffemodel(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"w\.caffemodel cannot be read"):
        load_caffemodel(tmp_path / "w.caffemodel")


def caffenet_blobs():
    """Random blobs of CaffeNet's shapes in Caffe's layout, its dense layers cut down."""
    shapes = [
        (96, 3, 11, 11),
        (256, 48, 5, 5),
        (384, 256, 3, 3),
        (384, 192, 3, 3),
        (256, 192, 3, 3),
    ]
    layers = {
        f"conv{i}": [
            random(i, *shape) / np.float32(np.sqrt(np.prod(shape[1:]))),
            random(10 + i, shape[0]),
        ]
        for i, shape in enumerate(shapes, start=1)
    }
    return layers | {f"fc{i}": [random(i, 8, 5), random(i, 8)] for i in (6, 7, 8)}


def test_caffenet_computes_with_its_file_what_caffe_does(tmp_path):
    """The first layers in PyTorch, from Caffe's own layout: BGR, groups, ceiling, LRN."""
    blobs = caffenet_blobs()
    (tmp_path / "caffenet.caffemodel").write_bytes(write_net(blobs, "layers"))
    params = pretrained.load("caffenet", path=tmp_path / "caffenet.caffemodel")
    image = np.random.default_rng(0).uniform(size=(1, 43, 43, 3)).astype(np.float32)
    ours = jax.jit(CaffeNet().apply)({"params": params}, image)

    bgr = 255 * torch.tensor(image[..., ::-1].copy()).permute(0, 3, 1, 2)
    x = bgr - torch.tensor([104.0, 117.0, 123.0])[:, None, None]
    kernel, bias = map(torch.tensor, blobs["conv1"])
    x = torch.relu(torch.nn.functional.conv2d(x, kernel, bias, stride=4))
    x = torch.nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)
    x = torch.nn.functional.local_response_norm(x, 5, 1e-4, 0.75, 1.0)
    kernel, bias = map(torch.tensor, blobs["conv2"])
    x = torch.relu(torch.nn.functional.conv2d(x, kernel, bias, padding=2, groups=2))
    expected = x.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(ours["relu2"], expected, atol=1e-4 * expected.max(), rtol=0)


def test_a_file_cut_between_two_layers_is_refused_by_what_it_lacks(tmp_path):
    blobs = caffenet_blobs()
    for name in ("conv5", "fc6", "fc7", "fc8"):
        del blobs[name]
    path = tmp_path / "caffenet.caffemodel"
    path.write_bytes(write_net(blobs))
    with pytest.raises(InputError, match="leaves conv5/bias, conv5/kernel empty"):
        pretrained.load("caffenet", path=path)


def test_without_network_one_sentence_says_where_caffenets_file_goes(empty_cache, monkeypatch):
    def unreachable(url, **options):
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(requests, "get", unreachable)
    where = empty_cache / "bvlc_reference_caffenet.caffemodel"
    with pytest.raises(InputError, match=f"download it elsewhere and put it at {where}"):
        pretrained.load("caffenet")
    where.write_bytes(b"something else")
    with pytest.raises(InputError, match="has SHA1 .*expected 4c8d77deb20ea792"):
        pretrained.load("caffenet")
