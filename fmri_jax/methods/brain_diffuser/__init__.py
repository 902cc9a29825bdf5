"""Brain-Diffuser: decode a VAE's latents for the layout, then embeddings for the picture.

Two stages, each usable alone: ridge from voxels to the latents of a very deep VAE, whose decoder
gives layout and colours; and ridge to embeddings of the image and of its captions, under which a
latent diffusion model turns that layout into a picture.

References:
    Ozcelik & VanRullen (2023), "Natural scene reconstruction from fMRI signals using generative
    latent diffusion", Sci. Rep. 13:15666.
"""

from typing import TYPE_CHECKING, Any

from fmri_jax.methods.brain_diffuser.config import Config

if TYPE_CHECKING:
    from fmri_jax.evaluation.fold_features import FoldFeatures
    from fmri_jax.methods.brain_diffuser.method import BrainDiffuser
    from fmri_jax.methods.brain_diffuser.reconstructor import BrainDiffuserReconstructor

__all__ = [
    "Config",
    "advice",
    "build",
    "decoded_targets",
    "diagnose",
    "restore",
    "takes_simulated",
    "trained_through",
]


def build(config: Config) -> "BrainDiffuser":
    """Returns the method; JAX is imported only here, so that reading options stays fast."""
    from fmri_jax.methods.brain_diffuser.method import BrainDiffuser

    return BrainDiffuser(config)


def restore(arrays: dict[str, Any], options: dict[str, Any]) -> "BrainDiffuserReconstructor":
    """The fitted decoder whose `state()` gave these."""
    from fmri_jax.methods.brain_diffuser.reconstructor import BrainDiffuserReconstructor

    return BrainDiffuserReconstructor.restore(arrays, options)


def trained_through(config: Config) -> tuple[str, ...]:
    """The networks that had a say: of the second stage's image embedding, and of the choice."""
    networks: list[str] = []
    if config.stages != "first":
        from fmri_jax.priors import registry

        networks += registry.trained_through(config.diffusion)
    if config.choice == "responses" and config.n_samples > 1:
        from fmri_jax.methods.choice import NETWORK

        networks.append(NETWORK)
    return tuple(dict.fromkeys(networks))


def diagnose(
    reconstructor: "BrainDiffuserReconstructor", fold: Any, rois: Any, context: Any
) -> "FoldFeatures":
    """Decoded latents and embeddings of a fold, scored; see `diagnostics.diagnose`."""
    from fmri_jax.methods.brain_diffuser import diagnostics

    del context
    return diagnostics.diagnose(reconstructor, fold, rois)


def decoded_targets(config: Config, trials: Any, seen: Any) -> dict[str, Any]:
    """Latents and embeddings of the training images `seen`; see `method.targets`."""
    from fmri_jax.methods.brain_diffuser import method, priors

    first, second = method.targets(config, *priors.load_priors(config), trials, seen)
    return {**(first or {}), **(second or {})}


def takes_simulated(config: Config) -> bool:
    """Not where it fits an encoding model itself: that would learn what another has simulated."""
    return config.choice != "responses"


def advice(config: Config) -> dict[str, str]:
    """What to change where latents were not decoded, or learned by heart."""
    return {
        "untrained": "Another prior (config.method.prior), or another penalty "
        "(config.method.alpha).",
        "overfitted": "A greater penalty (config.method.alpha), or fewer blocks of latents "
        "(config.method.n_layers), may serve new images better.",
        "stamped": "It is of the prior: another one (config.method.prior), trained for longer or "
        "on more photographs, reduces it.",
    }
