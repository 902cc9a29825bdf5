"""The method that does best on training stimuli that were left out, chosen fold by fold.

Which method is best depends on the recording. Choosing it by scores of the test images would be
choosing by luck as well; here each training set chooses for itself, and test images stay unseen.
"""

from typing import TYPE_CHECKING, Any

from fmri_jax import methods
from fmri_jax.methods.best.config import Config

if TYPE_CHECKING:
    from fmri_jax.methods.best.method import Best
    from fmri_jax.methods.best.reconstructor import BestReconstructor
    from fmri_jax.methods.costs import Cost, FoldSize

__all__ = [
    "Config",
    "advice",
    "build",
    "cost",
    "restore",
    "stays_in_span",
    "takes_simulated",
    "trained_through",
]


def build(config: Config) -> "Best":
    """Returns the method; JAX is imported only here, so that reading options stays fast."""
    from fmri_jax.methods.best.method import Best

    return Best(config)


def restore(arrays: dict[str, Any], options: dict[str, Any]) -> "BestReconstructor":
    """The chosen method's reconstructor whose `state()` gave these."""
    from fmri_jax.methods.best.reconstructor import BestReconstructor

    return BestReconstructor.restore(arrays, options)


def trained_through(config: Config) -> tuple[str, ...]:
    """The networks of all candidates: folds may choose any of them."""
    found = [methods.trained_through(one.name, one.config) for one in config.checked()]
    return tuple(dict.fromkeys(network for networks in found for network in networks))


def takes_simulated(config: Config) -> bool:
    """No: images that nobody viewed would choose among the methods."""
    return False


def stays_in_span(config: Config) -> bool:
    """Whether all candidates make weighted sums of their training images alone."""
    return all(methods.stays_in_span(one.name, one.config) for one in config.checked())


def advice(config: Config) -> dict[str, str]:
    """What to change where no candidate learned anything, or all learned by heart."""
    other = "Other candidates (config.method.candidates)"
    return {
        "untrained": f"{other}, or another measure to choose them by (config.method.measure).",
        "overfitted": f"{other} may serve new images better.",
        "stamped": f"{other} may reduce it.",
    }


def cost(config: Config, size: "FoldSize") -> "Cost | None":
    """What a fold of so many rows takes, before it is fitted; see `fold_cost`."""
    from fmri_jax.methods.best.fold_cost import of_fold

    return of_fold(config, size)
