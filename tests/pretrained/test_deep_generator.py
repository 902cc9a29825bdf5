"""Deep generators from Caffe's and PyTorch's layout, archives, and the range of their inputs."""

import zipfile

import jax
import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.networks import DeepGenerator
from fmri_jax.pretrained import rules, sources
from fmri_jax.pretrained.deep_generator import (
    DEEP_GENERATORS,
    estimated_upper_bounds,
    load_upper_bounds,
)
from fmri_jax.pretrained.unpickle import load_torch
from tests.peers import peer
from tests.pretrained.released_layers import HIDDEN, random_layers, tensor

torch = peer("torch")

INPUTS = 20  # 4,096 features are published


@pytest.fixture(scope="module")
def layers():
    return random_layers(INPUTS)


def ported(source, publication):
    shapes = rules.shapes(DeepGenerator(hidden=HIDDEN), (INPUTS,))
    return rules.port(source, publication.rules, shapes, "generator")


def torch_file(layers, path):
    """As the cookbook's: each layer by name, and once more by its place."""
    state = {}
    for name, (weight, bias) in layers.items():
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.tensor(weight), torch.tensor(bias)
    for i, name in enumerate(("defc7", "defc6", "defc5")):
        state[f"defc.{2 * i}.weight"] = state[f"{name}.weight"]
    state["deconv.0.bias"] = state["deconv5.bias"]
    torch.save(state, path)
    return path


def test_images_and_gradients_equal_pytorchs_transposed_convolutions(layers, tmp_path):
    torchs, caffes = DEEP_GENERATORS["generator_relu7"].publications
    arrays = ported(load_torch(torch_file(layers, tmp_path / "generator.pt")), torchs)
    blobs = {f"{name}/{i}": pair[i] for name, pair in layers.items() for i in (0, 1)}
    from_caffe = ported(blobs, caffes)
    assert all(np.array_equal(arrays[name], from_caffe[name]) for name in from_caffe)
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(2, INPUTS)).astype(np.float32)
    weights = rng.normal(size=(2, 224, 224, 3)).astype(np.float32)
    params = rules.unflatten(arrays)

    @jax.jit
    def images_and_gradient(params, latents):
        network = DeepGenerator(hidden=HIDDEN)
        found, vjp = jax.vjp(lambda z: network.apply({"params": params}, z), latents)
        return found, *vjp(weights)

    found, gradient = images_and_gradient(params, latents)
    z = torch.tensor(latents, requires_grad=True)
    expected = tensor(layers, z, slice(16, 240)) / 255
    assert found.shape == (2, 224, 224, 3) and expected.min() < 0 and expected.max() > 1
    np.testing.assert_allclose(found, expected.detach(), atol=1e-4)
    (expected,) = torch.autograd.grad((expected * torch.tensor(weights)).sum(), z)
    np.testing.assert_allclose(gradient, expected, atol=1e-3 * float(abs(expected).max()))


def test_published_sizes():
    shapes = DEEP_GENERATORS["generator_relu7"].shapes()
    count = {
        part: sum(np.prod(shape) for name, shape in shapes.items() if name.startswith(part))
        for part in ("fc", "conv", "deconv")
    }
    assert count["fc"] == 50_343_936
    assert round((count["conv"] + count["deconv"]) / 1e6, 2) == 5.75


def test_the_file_that_is_meant_is_read_out_of_an_archive(layers, tmp_path):
    publication = DEEP_GENERATORS["generator_relu6"].publications[0]
    small = {"defc7": layers["defc7"]}
    other = {"defc7": [2 * array for array in small["defc7"]]}
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        for name, content in (("relu6", small), ("relu7", other)):
            torch.save(
                {"defc7.bias": torch.tensor(content["defc7"][1])}, path := tmp_path / f"{name}.pt"
            )
            archive.write(path, f"ILSVRC2012_Training/generator_{name}.pt")
    found = sources.read(publication, tmp_path / "w.zip")
    np.testing.assert_array_equal(found["defc7.bias"], layers["defc7"][1])
    freiburg = DEEP_GENERATORS["generator_relu6"].publications[1]
    with pytest.raises(InputError, match="holds 0 files that match .*fc6.*expected the archive of"):
        sources.read(freiburg, tmp_path / "w.zip")
    (tmp_path / "w.zip").write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be unpacked"):
        sources.read(publication, tmp_path / "w.zip")


def test_upper_bounds_are_read_or_estimated(tmp_path):
    path = tmp_path / "fc7.txt"
    path.write_text("3 4 2 \n6 ")
    np.testing.assert_array_equal(load_upper_bounds(path, units=4), [3, 4, 2, 6])
    with pytest.raises(InputError, match="holds 4 numbers from 2 to 6: expected 4096"):
        load_upper_bounds(path)
    path.write_text("3 -4")
    with pytest.raises(InputError, match="from -4 to 3: expected 2 that are not negative"):
        load_upper_bounds(path, units=2)
    for content in ("<html>", None):
        path.unlink() if content is None else path.write_text(content)
        with pytest.raises(InputError, match="cannot be read as numbers"):
            load_upper_bounds(path)
    features = np.float32([[0, 1], [2, 1], [4, 1]])
    np.testing.assert_allclose(
        estimated_upper_bounds(features), [2 + 3 * np.sqrt(8 / 3), 1], rtol=1e-6
    )
    with pytest.raises(InputError, match="at least two"):
        estimated_upper_bounds(features[:1])
