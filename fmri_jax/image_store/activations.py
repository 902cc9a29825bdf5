"""One layer's activations to images, kept in the cache folder.

Methods that decode such a layer compute it of all their training images. Photographs that nobody
viewed are the same for all folds, seeds and variants of an experiment, and there are thousands.
(Trainings of priors keep features of their photographs in their own folder,
`priors.examples.kept_features`: in half precision and one file, whose rows are read in any order at
each step.)
"""

import functools

import numpy as np

from fmri_jax import arrays, digests, features, networks
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.image_store import maps
from fmri_jax.networks import conv

FEWEST = 4  # products of one or two rows are rounded differently
LARGEST = 2**14  # numbers per image that are worth keeping: 64 kB


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
    source = maps.Source(
        name,
        lambda images: {layer: _computed(name, layer, preprocessing, images)},
        _about(name, layer, preprocessing),
        half=False,
    )
    return maps.of_images(np.asarray(images), source).take()[layer]


def _computed(
    name: str, layer: str, preprocessing: Preprocessing | None, images: np.ndarray
) -> np.ndarray:
    """The activations, of at least `FEWEST` images at a time: what else is kept changes no bit."""
    rows = np.arange(max(len(images), FEWEST)) % len(images)
    found = _network(name, layer, preprocessing)(images[rows])[layer]
    return np.asarray(found)[: len(images)]


def _network(name: str, layer: str, preprocessing: Preprocessing | None) -> features.Features:
    return features.load(name, (layer,), preprocessing)


@functools.lru_cache(maxsize=8)
def _about(name: str, layer: str, preprocessing: Preprocessing | None) -> tuple[str, ...]:
    """What tells activations from others of the same images: code, weights and layer."""
    weights = maps.digest_of(_network(name, layer, preprocessing).params)
    code = digests.of_code(features, networks, conv, arrays)
    return (name, layer, repr(preprocessing), weights, code)
