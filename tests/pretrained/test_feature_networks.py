"""The feature networks against torchvision's, with weights from its files."""

import jax
import numpy as np
import pytest

from fmri_jax import pretrained
from fmri_jax.errors import InputError
from fmri_jax.networks import EfficientNetB1, InceptionV3, ResNet50
from fmri_jax.pretrained.tensors import load_safetensors
from tests.peers import peer

torch = peer("torch")

IMAGENET = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def images(size, seed=0):
    return np.random.default_rng(seed).uniform(size=(2, size, size, 3)).astype(np.float32)


def normalised(x, mean, deviation):
    return ((torch.tensor(x) - mean) / deviation).permute(0, 3, 1, 2)


def stir(model):
    """Statistics and scales that are not those of a fresh network, so that each one matters.

    Scales near 0.7 keep the sums of residual networks from growing layer by layer.
    """
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
        elif name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
        elif tensor.ndim == 1:
            tensor.copy_(0.5 + 0.4 * torch.rand(tensor.shape, generator=generator))
    return model.eval()


def average_pool(model, x):
    kept = []
    handle = model.avgpool.register_forward_hook(lambda module, given, made: kept.append(made))
    with torch.no_grad():
        model(x)
    handle.remove()
    return kept[0].flatten(1).numpy()


def assert_same(ours, theirs):
    assert theirs.std() > 1e-3  # features that differ over images and units
    np.testing.assert_allclose(ours, theirs, atol=2e-4 * np.abs(theirs).max(), rtol=0)


def test_inception_equals_torchvisions(torchvision_models, tmp_path):
    """With weights, torchvision's network takes ImageNet's normalisation off again."""
    torch.manual_seed(0)
    model = torchvision_models.inception_v3(weights=None, transform_input=True, init_weights=False)
    torch.save(stir(model).state_dict(), tmp_path / "inception.pth")
    params = pretrained.load("inception_v3", path=tmp_path / "inception.pth")
    x = images(107)  # sizes that leave a row over at each stride
    ours = jax.jit(InceptionV3().apply)({"params": params}, x)
    assert_same(ours, average_pool(model, normalised(x, *IMAGENET)))


def test_efficientnet_equals_torchvisions(torchvision_models, tmp_path):
    torch.manual_seed(0)
    model = stir(torchvision_models.efficientnet_b1(weights=None))
    torch.save(model.state_dict(), tmp_path / "efficientnet.pth")
    params = pretrained.load("efficientnet_b1", path=tmp_path / "efficientnet.pth")
    x = images(71)
    ours = jax.jit(EfficientNetB1().apply)({"params": params}, x)
    assert_same(ours, average_pool(model, normalised(x, *IMAGENET)))


def test_swavs_resnet_equals_torchvisions(torchvision_models, tmp_path):
    """SwAV's file: names of a distributed model, and heads of its own."""
    torch.manual_seed(0)
    model = stir(torchvision_models.resnet50(weights=None))
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    state = {name: tensor for name, tensor in state.items() if ".fc." not in name}
    state["module.projection_head.0.weight"] = torch.zeros(2, 2)
    state["module.prototypes.weight"] = torch.zeros(2, 2)
    torch.save(state, tmp_path / "swav.pth.tar")
    params = pretrained.load("swav_resnet50", path=tmp_path / "swav.pth.tar")
    x = images(65)
    ours = jax.jit(ResNet50().apply)({"params": params}, x)
    assert_same(ours, average_pool(model, normalised(x, *IMAGENET)))


def test_damaged_safetensors_are_rejected(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    for name in ("w.safetensors", "missing.safetensors"):
        with pytest.raises(InputError, match=f"{name} cannot be read as safetensors"):
            load_safetensors(tmp_path / name)
