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

    from fmri_jax.methods.local_decoders.estimator import MultiScaleDecoder
    from fmri_jax.methods.local_decoders.method import LocalDecoders, LocalReconstructor

__all__ = ["Config", "MultiScaleDecoder", "build", "draw_figures", "restore"]


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


__getattr__, *_ = lazy_loader.attach(__name__, submod_attrs={"estimator": ["MultiScaleDecoder"]})
