"""Local decoders: multi-scale reconstruction from many small decoders (Miyawaki et al. 2008).

Each decoder predicts the mean contrast of one small rectangle of the image from the voxels that
tell most about it; overlapping rectangles of several sizes are then combined into an image.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import lazy_loader

from fmri_jax.methods.local_decoders.options import Config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fmri_jax.methods.costs import Cost, FoldSize
    from fmri_jax.methods.local_decoders.estimator import MultiScaleDecoder
    from fmri_jax.methods.local_decoders.method import LocalDecoders, LocalReconstructor

__all__ = ["Config", "MultiScaleDecoder", "advice", "build", "cost", "draw_figures", "restore"]


def build(config: Config) -> "LocalDecoders":
    """Returns the method; JAX is imported only here, so that reading options stays fast."""
    from fmri_jax.methods.local_decoders.method import LocalDecoders

    return LocalDecoders(config)


def restore(arrays: dict[str, Any], options: dict[str, Any]) -> "LocalReconstructor":
    """The fitted decoders whose `state()` gave these."""
    from fmri_jax.methods.local_decoders.method import LocalReconstructor

    return LocalReconstructor.restore(arrays, options)


def draw_figures(
    fitted: Iterable["LocalReconstructor"],
) -> dict[str, tuple["Figure", str]]:
    """Scale weights and voxel maps of the decoders of all folds, each with its caption."""
    from fmri_jax.methods.local_decoders.figures import draw

    return draw(fitted)


def advice(config: Config) -> dict[str, str]:
    """What to change where the decoders learned nothing, or learned by heart."""
    fewer = (
        "A greater penalty (config.method.alpha)"
        if config.decoder in ("ridge", "receptive_fields")
        else "Fewer voxels for each decoder (config.method.n_voxels)"
    )
    chosen = "" if config.select == "inner" else ", or options chosen on inner folds"
    option = "" if config.select == "inner" else " (config.method.select=inner)"
    return {
        "untrained": "Another decoder (config.method.decoder), or other scales "
        "(config.method.scales).",
        "overfitted": f"{fewer}{chosen}{option} may serve new images better.",
        "stamped": "More training images reduce it, and so do smaller elements "
        "(config.method.scales).",
    }


def cost(config: Config, size: "FoldSize") -> "Cost | None":
    """What a fold of so many rows takes, before it is fitted; see `fold_cost`."""
    from fmri_jax.methods.local_decoders.fold_cost import of_fold

    return of_fold(config, size)


__getattr__, *_ = lazy_loader.attach(__name__, submod_attrs={"estimator": ["MultiScaleDecoder"]})
