"""Features of images that passed a network before: of targets, beside which every method is scored.

A run compares the same targets with its own images and with those of each baseline, and the runs of
a sweep do so again.
"""

import collections
import hashlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import jax
import numpy as np

LIMIT = 2**27  # bytes; of an image of 64 px the layers of AlexNet are 128 kB
_T = TypeVar("_T")


class SeenFeatures:
    """Features by image and network, of one set of weights; those asked for least recently go.

    Args:
        limit: bytes that are kept at most.
    """

    def __init__(self, limit: int = LIMIT):
        self._limit = limit
        self._kept: collections.OrderedDict[Hashable, tuple[Any, int]] = collections.OrderedDict()

    def of(self, network: Hashable, compute: Callable[[np.ndarray], _T], images: np.ndarray) -> _T:
        """What `compute` makes of a block of images, the very arrays if it has seen this block.

        Args:
            network: what tells `compute` from others.
            compute: images -> a pytree of arrays.
            images: (n, height, width, channels).
        """
        digest = hashlib.blake2b(np.ascontiguousarray(images).data, digest_size=16).digest()
        key = (network, images.shape, str(images.dtype), digest)
        if key in self._kept:
            self._kept.move_to_end(key)
            known: _T = self._kept[key][0]
            return known
        found = compute(images)
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(found))
        self._kept[key] = found, size
        while sum(each for _, each in self._kept.values()) > self._limit:
            self._kept.popitem(last=False)
        return found
