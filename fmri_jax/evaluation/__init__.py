"""Metrics, identification, baselines and intervals."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fmri_jax.evaluation.perceptual import PerceptualWeights
    from fmri_jax.evaluation.scores import (
        EvaluationConfig,
        PerImage,
        chance,
        score,
        score_images,
        summarise,
    )

__all__ = [
    "EvaluationConfig",
    "PerImage",
    "PerceptualWeights",
    "chance",
    "score",
    "score_images",
    "summarise",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used, so that importing this package costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "perceptual" if name == "PerceptualWeights" else "scores"
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
