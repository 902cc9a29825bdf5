"""What the scores of several runs have in common, found once.

Variants of a sweep are mostly tested on the same images, beside the same baselines: what depends on
these alone is the same for all.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np

_T = TypeVar("_T")


@dataclasses.dataclass
class SharedResults:
    """Results that are small, by all that they were computed from.

    Attributes:
        keeps: whether anything is; False for a single run, which asks for nothing twice.
    """

    keeps: bool = True
    _known: dict[Hashable, Any] = dataclasses.field(default_factory=dict)

    def once(self, name: Hashable, compute: Callable[[], _T], *arrays: np.ndarray | None) -> _T:
        """What `compute` gives, computed when it is first asked for.

        Args:
            name: says what it is, with all options that it depends on.
            compute: returns what nobody changes afterwards.
            *arrays: that it depends on.
        """
        if not self.keeps:
            return compute()
        key = (name, *map(_digest, arrays))
        if key not in self._known:
            self._known[key] = compute()
        found: _T = self._known[key]
        return found


UNSHARED = SharedResults(keeps=False)


def _digest(array: np.ndarray | None) -> bytes:
    """What tells an array from others."""
    if array is None:
        return b""
    found = hashlib.blake2b(f"{array.dtype} {array.shape}".encode(), digest_size=16)
    found.update(np.ascontiguousarray(array).data)
    return found.digest()
