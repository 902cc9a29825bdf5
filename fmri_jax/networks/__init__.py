"""Flax Linen networks: generator, discriminator, comparators; pure functions of parameters."""

from fmri_jax.networks.alexnet import AlexNet
from fmri_jax.networks.caffenet import CaffeNet
from fmri_jax.networks.discriminator import Discriminator
from fmri_jax.networks.generator import Generator
from fmri_jax.networks.summary import Layer, layer_table
from fmri_jax.networks.vgg16 import VGG16

__all__ = ["VGG16", "AlexNet", "CaffeNet", "Discriminator", "Generator", "Layer", "layer_table"]
