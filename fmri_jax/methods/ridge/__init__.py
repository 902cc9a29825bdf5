"""Ridge regression from voxels to pixels: the linear method that others have to beat.

Responses that average many trials need no enlarging for a linear map, which would answer with as
much more contrast: experiments set `preparation.noise_scaling=False`.
"""

from typing import TYPE_CHECKING, Any

import lazy_loader

from fmri_jax.methods.ridge.config import Config

if TYPE_CHECKING:
    from fmri_jax.methods.costs import Cost, FoldSize
    from fmri_jax.methods.ridge.estimator import RidgeDecoder
    from fmri_jax.methods.ridge.method import Ridge, RidgeReconstructor

__all__ = ["Config", "RidgeDecoder", "advice", "build", "cost", "restore", "stays_in_span"]


def build(config: Config) -> "Ridge":
    """Returns the method; JAX is imported only here, so that reading options stays fast."""
    from fmri_jax.methods.ridge.method import Ridge

    return Ridge(config)


def restore(arrays: dict[str, Any], options: dict[str, Any]) -> "RidgeReconstructor":
    """The fitted map whose `state()` gave these."""
    from fmri_jax.methods.ridge.method import RidgeReconstructor

    return RidgeReconstructor.restore(arrays, options)


def stays_in_span(config: Config) -> bool:
    """Whether all that it makes are weighted sums of its training images: yes."""
    return True


def advice(config: Config) -> dict[str, str]:
    """What to change where nothing was learned; its penalty is chosen on images left out."""
    return {
        "untrained": "Other penalties (config.method.penalties), or those that identify most "
        "(config.method.choose=identification).",
        "overfitted": "",
        "stamped": "More training images reduce it.",
    }


def cost(config: Config, size: "FoldSize") -> "Cost":
    """What a fold of so many rows takes, before it is fitted; see `fold_cost`."""
    from fmri_jax.methods.ridge.fold_cost import of_fold

    return of_fold(config, size)


__getattr__, *_ = lazy_loader.attach(__name__, submod_attrs={"estimator": ["RidgeDecoder"]})
