"""The feature networks: one entry each. Importing this costs nothing; a network is imported in use.

A new network is a Flax module in `fmri_jax.networks`, its weights in `fmri_jax.pretrained`, and an
entry here.
"""

import dataclasses
import importlib
from typing import TYPE_CHECKING, Any

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
        preprocessing: what its published weights expect, but for the central crop.
        least: px of the shorter side from which the last convolution sees anything.
    """

    label: str
    family: str
    module_name: str
    layers: tuple[str, ...]
    preprocessing: Preprocessing
    least: int

    def module(self, dtype: Any = None) -> "nn.Module":
        """The Flax module, from RGB images in [0, 1]; `dtype` of its arithmetic if it has one."""
        made = getattr(importlib.import_module("fmri_jax.networks"), self.module_name)
        return made() if dtype is None else made(dtype=dtype)

    def activations(self, params: Any, images: "jax.Array") -> "dict[str, jax.Array]":
        """Activations by name; pure, works inside `jit`, in full float32 on every platform.

        Args:
            params: as `fmri_jax.pretrained.load` returns them.
            images: (n, h, w, 3) in [0, 1], already preprocessed.

        Raises:
            InputError: the network cannot take images of this shape.
        """
        import jax

        with jax.default_matmul_precision("highest"):  # a GPU's features must be a CPU's
            found: Any = self.module().apply({"params": params}, images)
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


_VGG16_LAYERS = tuple(
    name
    for block, n in enumerate((2, 2, 3, 3, 3), start=1)
    for name in (*(f"relu{block}_{i}" for i in range(1, n + 1)), f"pool{block}")
)

# By the name of their weights in `fmri_jax.pretrained`.
NETWORKS = {
    "alexnet": FeatureNetwork(
        label="AlexNet",
        family="AlexNet on ImageNet",
        module_name="AlexNet",
        layers=("relu1", "pool1", "relu2", "pool2", "relu3", "relu4", "relu5", "pool5"),
        preprocessing=Preprocessing(224),
        least=31,
    ),
    "caffenet": FeatureNetwork(
        label="CaffeNet",
        family="AlexNet on ImageNet",
        module_name="CaffeNet",
        layers=(
            *("relu1", "pool1", "norm1", "relu2", "pool2", "norm2"),
            *("relu3", "relu4", "relu5", "pool5"),
        ),
        preprocessing=Preprocessing(227),
        least=23,
    ),
    "vgg16": FeatureNetwork(
        label="VGG16",
        family="VGG on ImageNet",
        module_name="VGG16",
        layers=_VGG16_LAYERS,
        preprocessing=Preprocessing(224),
        least=16,
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
        layers=("embedding",),
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
    "swav_resnet50": FeatureNetwork(
        label="SwAV's ResNet-50",
        family="SwAV",
        module_name="ResNet50",
        layers=("pooled",),
        preprocessing=Preprocessing(224),
        least=1,
    ),
}
