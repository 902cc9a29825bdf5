"""What the second stage is told of an image: embeddings of it and of its captions."""

from typing import Any

import numpy as np

from fmri_jax.data.captions import captions_of
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError


def of_training(
    diffusion: Any, trials: Trials, seen: np.ndarray, images: np.ndarray, image_share: float
) -> dict[str, np.ndarray]:
    """Embeddings of the training images, as the diffusion model takes them.

    Args:
        diffusion: the prior of the second stage.
        trials: training trials, for captions.
        seen: (stimuli,) indices of the images shown in training.
        images: (stimuli, size, size, 3) those images.
        image_share: of the image beside the text; what has none is not decoded.

    Returns:
        Name of the condition -> (stimuli, tokens, width). The text is left out where images have
        neither captions nor names that say what they show.
    """
    told = image_share < 1 and "text" in diffusion.conditions
    captions = words(trials, seen) if told else None
    found: dict[str, np.ndarray] = diffusion.embed(images, captions, kept=True)
    if captions and not image_share:
        del found["image"]
    return found


def words(trials: Trials, seen: np.ndarray) -> list[tuple[str, ...]] | None:
    """The captions of images of trials; None where some have none."""
    try:
        return captions_of(trials, seen)
    except InputError:
        return None
