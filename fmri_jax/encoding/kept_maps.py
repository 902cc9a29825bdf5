"""Pooled maps of images that encoding models predict from, kept in the cache folder.

Half precision rounds 5e-4 of a value, far below the noise of any response.
"""

import functools

import numpy as np

from fmri_jax import arrays, digests, features, networks
from fmri_jax.encoding import feature_maps
from fmri_jax.encoding.feature_maps import GABOR, PIXELS, pooled_maps
from fmri_jax.image_store import maps
from fmri_jax.image_store.maps import ENTRY, StoredMaps
from fmri_jax.networks import conv

Source = tuple[str, tuple[str, ...], int]  # as `Options.source`


def of_images(images: np.ndarray, source: Source) -> StoredMaps:
    """The maps of images: those that are kept are read, others are computed and kept.

    Args:
        images: (n, height, width, 1 or 3) uint8.
        source: network, layers and grid, as `pooled_maps` takes them.

    Raises:
        InputError: images or layers cannot be used.
    """
    if source[0] in (PIXELS, GABOR):  # which are few numbers, quickly computed
        blocks = (images[at : at + ENTRY] for at in range(0, len(images), ENTRY))
        shapes, *parts = maps.side_by_side(*(pooled_maps(block, *source) for block in blocks))
        units = np.concatenate(parts)
        return StoredMaps(shapes, (units,), np.zeros(len(images), int), np.arange(len(images)))
    compute = functools.partial(_pooled, source)
    return maps.of_images(images, maps.Source(source[0], compute, _about(source), True))


def _pooled(source: Source, images: np.ndarray) -> feature_maps.Maps:
    return pooled_maps(images, *source)


@functools.lru_cache(maxsize=8)
def _about(source: Source) -> tuple[object, ...]:
    """What tells maps from others of the same images: code, weights, layers and grid."""
    weights = maps.digest_of(features.load(*source[:2]).params)
    return (*source, weights, digests.of_code(features, networks, conv, arrays, feature_maps))
