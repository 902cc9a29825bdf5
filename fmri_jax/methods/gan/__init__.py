"""End-to-end GAN: fMRI to image in one network (Shen, Dwivedi, Majima, Horikawa & Kamitani 2019).

A generator is trained against the pixels of the image that was seen, against the features that a
frozen comparator network finds in it, and against a discriminator.
"""

from typing import TYPE_CHECKING

from fmri_jax.methods.gan.config import Config

if TYPE_CHECKING:
    from fmri_jax.methods.gan.method import GAN

__all__ = ["Config", "build"]


def build(config: Config) -> "GAN":
    """Returns the method; JAX is imported only here, so that reading options stays fast."""
    from fmri_jax.methods.gan.method import GAN

    return GAN(config)
