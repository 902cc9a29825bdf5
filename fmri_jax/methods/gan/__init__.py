"""End-to-end GAN: fMRI to image in one network (Shen, Dwivedi, Majima, Horikawa & Kamitani 2019).

A generator is trained against the pixels of the target image, against the features that a
frozen comparator network computes from it, and against a discriminator.
"""

from typing import TYPE_CHECKING, Any

from fmri_jax.methods.gan.config import Config

if TYPE_CHECKING:
    from fmri_jax.methods.costs import Cost, FoldSize
    from fmri_jax.methods.gan.method import GAN
    from fmri_jax.methods.gan.reconstructor import GANReconstructor

__all__ = ["Config", "advice", "build", "cost", "restore", "takes_simulated", "trained_through"]


def build(config: Config) -> "GAN":
    """Returns the method; JAX is imported only here, so that reading options stays fast."""
    from fmri_jax.methods.gan.method import GAN

    return GAN(config)


def restore(arrays: dict[str, Any], options: dict[str, Any]) -> "GANReconstructor":
    """The trained generator whose `state()` gave these."""
    from fmri_jax.methods.gan.reconstructor import GANReconstructor

    return GANReconstructor.restore(arrays, options)


def trained_through(config: Config) -> tuple[str, ...]:
    """The comparator, unless no term of the loss has its features."""
    return (config.comparator,) if config.compares else ()


def takes_simulated(config: Config) -> bool:
    """Not where it fits an encoding model itself: that would learn what another has simulated."""
    return not config.response_weight


def advice(config: Config) -> dict[str, str]:
    """What to change where the training came to nothing, learned by heart or left a texture."""
    other, hidden, noise = "", "", ""
    if not config.refines:
        other = "a generator that refines a linear decoder's image (config.method.start=ridge), "
        hidden = ", config.method.hidden"
        noise = "more noise on the responses (config.method.fmri_noise), "
    found = {
        "untrained": "more steps (config.method.n_steps), another learning rate "
        "(config.method.learning_rate), or more weight on pixels (config.method.image_weight).",
        "overfitted": f"{noise}fewer steps (config.method.n_steps), or a smaller network "
        f"(config.method.width{hidden}) may serve new images better.",
        "stamped": f"{other}longer training (config.method.n_steps), more training images, and "
        "more weight on pixels (config.method.image_weight) against the adversarial loss reduce "
        "it.",
    }
    return {name: sentence[:1].upper() + sentence[1:] for name, sentence in found.items()}


def cost(config: Config, size: "FoldSize") -> "Cost":
    """What a fold of so many rows takes, before it is fitted; see `fold_cost`."""
    from fmri_jax.methods.gan.fold_cost import of_fold

    return of_fold(config, size)
