"""Flax Linen networks, pure functions of their parameters."""

from fmri_jax.networks.alexnet import AlexNet
from fmri_jax.networks.caffenet import CaffeNet
from fmri_jax.networks.clip import CLIPVision
from fmri_jax.networks.discriminator import Discriminator
from fmri_jax.networks.efficientnet import EfficientNetB1
from fmri_jax.networks.generator import Generator
from fmri_jax.networks.inception import InceptionV3
from fmri_jax.networks.resnet import ResNet50
from fmri_jax.networks.vgg16 import VGG16

__all__ = [
    "VGG16",
    "AlexNet",
    "CLIPVision",
    "CaffeNet",
    "Discriminator",
    "EfficientNetB1",
    "Generator",
    "InceptionV3",
    "ResNet50",
]
