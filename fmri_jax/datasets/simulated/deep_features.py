"""AlexNet's activations, which the simulated subject's higher areas mix."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fmri_jax.datasets.simulated.higher_areas import LAYERS
from fmri_jax.errors import InputError

if TYPE_CHECKING:
    pass

LEAST_SIZE = 31  # px: nothing is left of smaller images after AlexNet's poolings
BLOCK = 64  # images in the network at a time


def deep_features(images: np.ndarray) -> dict[str, np.ndarray]:
    """AlexNet's fourth and fifth convolution, which the virtual subject's higher areas mix.

    Args:
        images: (n, h, w, 3) uint8.

    Returns:
        layer -> (n, ...) float32.

    Raises:
        InputError: nothing is left of such small images after AlexNet's poolings.
    """
    import jax

    from fmri_jax import pretrained
    from fmri_jax.networks import AlexNet

    if min(images.shape[1:3]) < LEAST_SIZE:
        raise InputError(
            f"the virtual subject sees images of {images.shape[1]} x {images.shape[2]} px: "
            f"expected at least {LEAST_SIZE} a side, as its higher areas mix features of "
            "AlexNet; set config.data.virtual_subject.image_size, or choose early areas only."
        )
    params = pretrained.load("alexnet")

    @jax.jit
    def activations(params: Any, block: jax.Array) -> dict[str, jax.Array]:
        layers: Any = AlexNet().apply({"params": params}, block / np.float32(255))
        return {name: layers[name] for name in LAYERS}

    padded = np.concatenate([images, np.zeros((-len(images) % BLOCK, *images.shape[1:]), np.uint8)])
    blocks = [activations(params, block) for block in np.split(padded, len(padded) // BLOCK)]
    return {
        name: np.concatenate([np.asarray(block[name]) for block in blocks])[: len(images)]
        for name in LAYERS
    }
