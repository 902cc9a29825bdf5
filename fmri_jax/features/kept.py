"""One layer's activations to images, kept in the cache folder.

Methods that decode such a layer compute it of all their training images. Photographs that nobody
viewed are the same for all folds, seeds and variants of an experiment, and there are thousands.
"""

import functools

import numpy as np

from fmri_jax import arrays, digests, features, networks
from fmri_jax.features import map_store
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.networks import conv


def activations(
    name: str, layer: str, preprocessing: Preprocessing | None, images: np.ndarray
) -> np.ndarray:
    """What a network makes of images.

    Args:
        name: of the network, as `features.load` takes it.
        layer: of that network.
        preprocessing: of the images; None: as the network was trained.
        images: (n, height, width, 1 or 3).

    Returns:
        (n, ...) float32.
    """
    source = map_store.Source(
        name,
        lambda images: {layer: np.asarray(_network(name, layer, preprocessing)(images)[layer])},
        _about(name, layer, preprocessing),
        half=False,
    )
    return map_store.of_images(np.asarray(images), source).take()[layer]


def _network(name: str, layer: str, preprocessing: Preprocessing | None) -> features.Features:
    return features.load(name, (layer,), preprocessing)


@functools.lru_cache(maxsize=8)
def _about(name: str, layer: str, preprocessing: Preprocessing | None) -> tuple[str, ...]:
    """What tells activations from others of the same images: code, weights and layer."""
    weights = map_store.digest_of(_network(name, layer, preprocessing).params)
    code = digests.of_code(features, networks, conv, arrays)
    return (name, layer, repr(preprocessing), weights, code)
