"""IC-GAN: decode the features of what was seen, then paint an image of their neighbourhood.

Ridge from voxels to the features of one instance, under which a generator that was trained on
photographs alone makes images. The noise, which the features leave open, is drawn, or decoded from
the brain as well.

References:
    Casanova et al. (2021), "Instance-conditioned GAN", NeurIPS. Ozcelik et al. (2022),
    "Reconstruction of perceived images from fMRI patterns and semantic brain exploration using
    instance-conditioned GANs", IJCNN.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fmri_jax.methods.ic_gan.config import Config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fmri_jax.methods.ic_gan.method import ICGAN
    from fmri_jax.methods.ic_gan.reconstructor import ICGANReconstructor

__all__ = [
    "Config",
    "advice",
    "build",
    "draw_figures",
    "restore",
    "takes_simulated",
    "trained_through",
]


def build(config: Config) -> "ICGAN":
    """Returns the method; JAX is imported only here, so that reading options stays fast."""
    from fmri_jax.methods.ic_gan.method import ICGAN

    return ICGAN(config)


def restore(arrays: dict[str, Any], options: dict[str, Any]) -> "ICGANReconstructor":
    """The fitted decoder whose `state()` gave these."""
    from fmri_jax.methods.ic_gan.reconstructor import ICGANReconstructor

    return ICGANReconstructor.restore(arrays, options)


def trained_through(config: Config) -> tuple[str, ...]:
    """The networks that had a say in the prior, and that by which samples are chosen."""
    from fmri_jax.methods.choice import NETWORK
    from fmri_jax.priors import registry

    networks = registry.trained_through(config.prior)
    if config.choice == "responses" and config.n_samples > 1:
        networks = (*networks, NETWORK)
    return tuple(dict.fromkeys(networks))


def draw_figures(fitted: Iterable["ICGANReconstructor"]) -> dict[str, tuple["Figure", str]]:
    """The inversion of the generator in each fold, with its caption, where there was one."""
    from fmri_jax.methods.ic_gan.figures import draw

    return draw(fitted)


def takes_simulated(config: Config) -> bool:
    """Not where it fits an encoding model itself: that would learn what another has simulated."""
    return config.choice != "responses"


def advice(config: Config) -> dict[str, str]:
    """What to change where features were not decoded, or learned by heart."""
    return {
        "untrained": "Another prior (config.method.prior), or decoded activations, which hold the "
        "layout (config.method.first=decoded).",
        "overfitted": "A greater penalty (config.method.alpha) may serve new images better.",
        "stamped": "It is of the generator: another one (config.method.prior) reduces it.",
    }
