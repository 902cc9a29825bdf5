"""Flax Linen networks: generator, discriminator, comparators; pure functions of parameters."""

from fmri_jax.networks.alexnet import AlexNet
from fmri_jax.networks.discriminator import Discriminator
from fmri_jax.networks.generator import Generator

__all__ = ["AlexNet", "Discriminator", "Generator"]
