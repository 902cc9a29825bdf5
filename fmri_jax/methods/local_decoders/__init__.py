"""Local decoders: multi-scale reconstruction from many small decoders (Miyawaki et al. 2008).

Each decoder predicts the mean contrast of one small rectangle of the image from the voxels that
tell most about it; overlapping rectangles of several sizes are then combined into an image.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fmri_jax.methods.local_decoders.options import Config

if TYPE_CHECKING:
    from fmri_jax.methods.local_decoders.estimator import MultiScaleDecoder
    from fmri_jax.methods.local_decoders.method import LocalDecoders

__all__ = ["Config", "MultiScaleDecoder", "build"]


def build(config: Config) -> "LocalDecoders":
    """Returns the method; JAX is imported only here, so that reading options stays fast."""
    from fmri_jax.methods.local_decoders.method import LocalDecoders

    return LocalDecoders(config)


def __getattr__(name: str) -> Any:
    """Imports the estimator, and with it JAX and scikit-learn, when it is first asked for."""
    if name == "MultiScaleDecoder":
        return importlib.import_module(f"{__name__}.estimator").MultiScaleDecoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
