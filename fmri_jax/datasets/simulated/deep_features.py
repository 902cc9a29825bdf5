"""AlexNet's activations, which the simulated subject's higher areas mix."""

import numpy as np

from fmri_jax.datasets.simulated.higher_areas import LAYERS
from fmri_jax.errors import InputError
from fmri_jax.features.registry import NETWORKS


def deep_features(images: np.ndarray) -> dict[str, np.ndarray]:
    """AlexNet's fourth and fifth convolution, which the simulated subject's higher areas mix.

    Args:
        images: (n, h, w, 3) uint8.

    Returns:
        layer -> (n, ...) float32.

    Raises:
        InputError: nothing is left of such small images after AlexNet's poolings.
    """
    from fmri_jax import features

    if min(images.shape[1:3]) < (least := NETWORKS["alexnet"].least):
        raise InputError(
            f"the virtual subject sees images of {images.shape[1]} x {images.shape[2]} px: "
            f"expected at least {least} a side, as its higher areas mix features of "
            "AlexNet; set config.data.virtual_subject.image_size, or choose early areas only."
        )
    as_they_are = features.Preprocessing()
    return features.load("alexnet", layers=LAYERS, preprocessing=as_they_are)(images)
