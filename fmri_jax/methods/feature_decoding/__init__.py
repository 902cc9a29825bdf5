"""Deep image reconstruction: decode a network's features, then find the image that has them.

Three steps, each usable alone: the layers of the training images (`encoder`), a linear map from
voxels to them (`fmri_jax.linear.dual_ridge`, with gains learned out of fold; `dispersion`), and a
renderer that finds an image whose layers match (`objective`, `render`).

References:
    Shen, Horikawa, Majima & Kamitani (2019), PLoS Comput. Biol. 15:e1006633.
"""

from typing import TYPE_CHECKING, Any

from fmri_jax.methods.feature_decoding.config import Config

if TYPE_CHECKING:
    from fmri_jax.evaluation.fold_features import FoldFeatures
    from fmri_jax.methods.costs import Cost, FoldSize
    from fmri_jax.methods.feature_decoding.method import FeatureDecoding
    from fmri_jax.methods.feature_decoding.reconstructor import FeatureReconstructor

__all__ = [
    "Config",
    "build",
    "cost",
    "decoded_targets",
    "diagnose",
    "restore",
    "takes_simulated",
    "trained_through",
]


def build(config: Config) -> "FeatureDecoding":
    """Returns the method; JAX is imported only here, so that reading options stays fast."""
    from fmri_jax.methods.feature_decoding.method import FeatureDecoding

    return FeatureDecoding(config)


def restore(arrays: dict[str, Any], options: dict[str, Any]) -> "FeatureReconstructor":
    """The fitted decoder whose `state()` gave these."""
    from fmri_jax.methods.feature_decoding.reconstructor import FeatureReconstructor

    return FeatureReconstructor.restore(arrays, options)


def trained_through(config: Config) -> tuple[str, ...]:
    """The network whose features the images are optimised to have; none for retrieval."""
    return () if config.renderer == "retrieval" else (config.network,)


def parts(config: Config) -> tuple[str, ...]:
    """The layers, where each unit has voxels of its own; all voxels take one map for all layers."""
    return config.layers if config.n_voxels is not None else ()


def diagnose(
    reconstructor: "FeatureReconstructor", fold: Any, rois: Any, context: Any
) -> "FoldFeatures":
    """Decoded layers of a fold and of each region, scored; see `diagnostics.diagnose`."""
    from fmri_jax.methods.feature_decoding import diagnostics

    return diagnostics.diagnose(reconstructor, fold, rois, context)


def decoded_targets(config: Config, trials: Any, seen: Any) -> dict[str, Any]:
    """Layers of the training images `seen`."""
    from fmri_jax.methods.feature_decoding.encoder import Encoder

    return Encoder.of(config).of_stimuli(trials.images[seen])


def takes_simulated(config: Config) -> bool:
    """Not where it fits an encoding model itself: that would learn what another has simulated."""
    return not config.response_weight


def advice(config: Config) -> dict[str, str]:
    """What to change where features were not decoded, or learned by heart."""
    return {
        "untrained": "More steps of the rendering (config.method.n_steps), or more weight on "
        "decoded pixels (config.method.pixel_weight).",
        "overfitted": "A greater penalty (config.method.alpha) or fewer voxels for each unit "
        "(config.method.n_voxels) may serve new images better.",
        "stamped": "Fewer of the deep layers (config.method.layers), or more smoothness "
        "(config.method.total_variation), reduce it.",
    }


def cost(config: Config, size: "FoldSize") -> "Cost | None":
    """What a fold of so many rows takes, before it is fitted; see `fold_cost`."""
    from fmri_jax.methods.feature_decoding.fold_cost import of_fold

    return of_fold(config, size)
