"""The feature networks: one entry each. Importing this costs nothing; a network is imported in use.

A new network is a Flax module in `fmri_jax.networks`, its weights in `fmri_jax.pretrained`, and an
entry here.
"""

import dataclasses
import importlib
from typing import TYPE_CHECKING, Any

from fmri_jax.config import unknown_name
from fmri_jax.errors import InputError
from fmri_jax.features.preprocessing import Preprocessing

if TYPE_CHECKING:
    import flax.linen as nn
    import jax


@dataclasses.dataclass(frozen=True)
class FeatureNetwork:
    """A pretrained network whose activations are features of images.

    Attributes:
        label: its name for people.
        family: networks of one family share architecture and training images: a score through one
            says little about a reconstruction that was trained through another.
        module_name: of its class in `fmri_jax.networks`.
        layers: names of its activations, from input to output; small images leave the last out.
            conv1 and fc6 are before the ReLU, relu1 and relu6 after it.
        preprocessing: what its published weights expect, but for the central crop.
        least: px of the shorter side from which the last convolution sees anything.
        dense_weights: name of the weights that its fully connected layers need, if it has any.
    """

    label: str
    family: str
    module_name: str
    layers: tuple[str, ...]
    preprocessing: Preprocessing
    least: int
    dense_weights: str = ""

    @property
    def dense(self) -> tuple[str, ...]:
        """Its fully connected layers."""
        return tuple(layer for layer in self.layers if layer in _DENSE)

    def module(self, dtype: Any = None, dense: bool = False) -> "nn.Module":
        """The Flax module, from RGB images in [0, 1].

        Args:
            dtype: of its arithmetic, if it has a choice.
            dense: whether with its fully connected layers, at its own image size.
        """
        networks = importlib.import_module("fmri_jax.networks")
        options = {} if dtype is None else {"dtype": dtype}
        if dense:
            options["dense"] = networks.dense.UNITS
        return getattr(networks, self.module_name)(**options)

    def activations(self, params: Any, images: "jax.Array") -> "dict[str, jax.Array]":
        """Activations by name; pure, works inside `jit`, in full float32 on every platform.

        Args:
            params: as `fmri_jax.pretrained.load` returns them; without those of fc6, there are no
                fully connected layers.
            images: (n, h, w, 3) in [0, 1], already preprocessed.

        Raises:
            InputError: the network cannot take images of this shape.
        """
        import jax
        import jax.numpy as jnp

        if images.dtype == jnp.float64:  # of JAX_ENABLE_X64; the weights stay float32
            images = images.astype(jnp.float32)
        with jax.default_matmul_precision("highest"):  # a GPU's features must be a CPU's
            dense = bool(self.dense) and self.dense[0] in params
            found: Any = self.module(dense=dense).apply({"params": params}, images)
        return found if isinstance(found, dict) else {self.layers[0]: found}

    def check(self, layers: tuple[str, ...], among: Any = None) -> None:
        """Checks names of layers.

        Raises:
            InputError: one is not among the network's layers, or those in `among`.
        """
        known = self.layers if among is None else among
        if missing := [layer for layer in layers if layer not in known]:
            why = "" if among is None or missing[0] not in self.layers else " at this image size"
            raise InputError(
                f"{self.label} has no layer {missing[0]!r}{why}: choose among {', '.join(known)}"
                f"{', or give larger images' if why else ''}."
            )


_DENSE = ("fc6", "relu6", "fc7", "relu7", "fc8")


def _alexnet(after: dict[int, str]) -> tuple[str, ...]:
    """The layers of an AlexNet, from what follows some of its five convolutions."""
    each = (f"conv{i} relu{i} {after.get(i, '')}" for i in range(1, 6))
    return (*" ".join(each).split(), *_DENSE)


def _vgg(*convolutions: int) -> tuple[str, ...]:
    """The layers of a VGG, from the convolutions of its blocks."""
    found: list[str] = []
    for block, count in enumerate(convolutions, start=1):
        for i in range(1, count + 1):
            found += [f"conv{block}_{i}", f"relu{block}_{i}"]
        found.append(f"pool{block}")
    return (*found, *_DENSE)


_LITE_BLOCKS = tuple(
    f"block{s}_{i}" for s, n in enumerate((1, 2, 2, 3, 3, 4, 1), 1) for i in range(n)
)

# By the name of their weights in `fmri_jax.pretrained`.
NETWORKS = {
    "alexnet": FeatureNetwork(
        label="AlexNet",
        family="AlexNet on ImageNet",
        module_name="AlexNet",
        layers=_alexnet({1: "pool1", 2: "pool2", 5: "pool5"}),
        preprocessing=Preprocessing(224),
        least=31,
        dense_weights="alexnet_dense",
    ),
    "caffenet": FeatureNetwork(
        label="CaffeNet",
        family="AlexNet on ImageNet",
        module_name="CaffeNet",
        layers=_alexnet({1: "pool1 norm1", 2: "pool2 norm2", 5: "pool5"}),
        preprocessing=Preprocessing(227),
        least=23,
        dense_weights="caffenet_dense",
    ),
    "bvlc_alexnet": FeatureNetwork(
        label="Caffe's AlexNet",
        family="AlexNet on ImageNet",
        module_name="BVLCAlexNet",
        layers=_alexnet({1: "norm1 pool1", 2: "norm2 pool2", 5: "pool5"}),
        preprocessing=Preprocessing(227),
        least=23,
        dense_weights="bvlc_alexnet",
    ),
    "vgg16": FeatureNetwork(
        label="VGG16",
        family="VGG on ImageNet",
        module_name="VGG16",
        layers=_vgg(2, 2, 3, 3, 3),
        preprocessing=Preprocessing(224),
        least=16,
        dense_weights="vgg16_dense",
    ),
    "vgg19": FeatureNetwork(
        label="VGG19",
        family="VGG on ImageNet",
        module_name="VGG19",
        layers=_vgg(2, 2, 4, 4, 4),
        preprocessing=Preprocessing(224),
        least=16,
        dense_weights="vgg19",
    ),
    "inception_v3": FeatureNetwork(
        label="Inception-v3",
        family="Inception on ImageNet",
        module_name="InceptionV3",
        layers=("pooled",),
        preprocessing=Preprocessing(299),
        least=75,
    ),
    "clip_vit_l14": FeatureNetwork(
        label="CLIP ViT-L/14",
        family="CLIP",
        module_name="CLIPVision",
        layers=("tokens", "embedding"),
        preprocessing=Preprocessing(224, method="cubic"),
        least=224,
    ),
    "efficientnet_b1": FeatureNetwork(
        label="EfficientNet-B1",
        family="EfficientNet on ImageNet",
        module_name="EfficientNetB1",
        layers=("pooled",),
        preprocessing=Preprocessing(240),
        least=1,
    ),
    "efficientnet_lite0": FeatureNetwork(
        label="EfficientNet-Lite0",
        family="EfficientNet on ImageNet",
        module_name="EfficientNetLite0",
        layers=("stem", *_LITE_BLOCKS, "head", "pooled", "logits"),
        preprocessing=Preprocessing(224),
        least=1,
    ),
    "swav_resnet50": FeatureNetwork(
        label="SwAV's ResNet-50",
        family="SwAV",
        module_name="ResNet50",
        layers=("pooled",),
        preprocessing=Preprocessing(224),
        least=1,
    ),
}


def find_network(name: str) -> FeatureNetwork:
    """The entry of that name.

    Raises:
        InputError: there is none; the closest name is in the message.
    """
    if name not in NETWORKS:
        raise InputError(unknown_name(f"{name!r}", name, NETWORKS, "feature network"))
    return NETWORKS[name]
