"""Multi-scale image bases: rectangles of pixels whose mean contrast a local decoder predicts.

An element is a rectangle of (height, width) pixels at one position; a scale is all positions of one
rectangle size. nilearn's Miyawaki example has four scales, 1x1, 1x2, 2x1 and 2x2, which on a 10x10
image make 100 + 90 + 90 + 81 = 361 elements. On photographs neighbours of a large size have nearly
the same contrast, so that every fourth position says as much in a sixteenth of the time.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.validation import is_length, members

Size = tuple[int, int]  # height and width of an element, pixels
Scales = int | Sequence[int | Size]

LARGEST = 2**30  # entries of a dense basis: 4 GiB in float32


def sizes_of(scales: Scales) -> tuple[Size, ...]:
    """The element sizes that `scales` stands for.

    Args:
        scales: s stands for 1x1, 1xs, sx1 and sxs, and 1 for 1x1 alone; several numbers for the
            union of theirs; pairs (height, width) for themselves.

    Returns:
        (height, width) of each scale, each once, in the order given.

    Raises:
        InputError: there is no size, or one is not made of positive whole numbers.
    """
    given = members(scales) or (scales,)
    sizes: list[Size] = []
    for entry in given:
        if is_length(entry):
            s = int(entry)
            sizes += [(1, 1), (1, s), (s, 1), (s, s)]
        elif len(pair := members(entry)) == 2 and all(map(is_length, pair)):
            sizes.append((int(pair[0]), int(pair[1])))
        else:
            sizes.clear()
            break
    if not sizes:
        raise InputError(
            f"scales={scales!r}: expected a positive number such as 2, several such as (2, 3), or "
            "pairs of height and width such as ((1, 1), (2, 2))."
        )
    return tuple(dict.fromkeys(sizes))


@dataclasses.dataclass(frozen=True)
class Basis:
    """All elements of some scales on one image size.

    Attributes:
        sizes: (height, width) of each scale in pixels.
        height: of the image, pixels.
        width: of the image, pixels.
        stride: from one position to the next, pixels; the last ones end at the image's border.
    """

    sizes: tuple[Size, ...]
    height: int
    width: int
    stride: int = 1

    def __post_init__(self) -> None:
        """Refuses elements that do not fit the image, and bases that do not fit the memory."""
        for h, w in self.sizes:
            if h > self.height or w > self.width:
                raise InputError(
                    f"an element of {h} x {w} pixels does not fit images of {self.height} x "
                    f"{self.width} pixels: choose smaller scales."
                )
            if self.stride > min(h, w):
                raise InputError(
                    f"stride={self.stride} leaves pixels between elements of {h} x {w} pixels: "
                    "expected at most the smallest side of an element."
                )
        if self.n_elements * self.height * self.width > LARGEST:
            raise InputError(
                f"{self.n_elements} elements on images of {self.height} x {self.width} pixels need "
                "a matrix of more than 4 GiB: choose fewer scales or prepare smaller images."
            )

    @functools.cached_property
    def counts(self) -> tuple[int, ...]:
        """Elements of each scale."""
        return tuple(
            len(_starts(h, self.height, self.stride)) * len(_starts(w, self.width, self.stride))
            for h, w in self.sizes
        )

    @property
    def n_elements(self) -> int:
        """Elements of all scales."""
        return sum(self.counts)

    @functools.cached_property
    def scale(self) -> np.ndarray:
        """(elements,) int32: the scale that each element belongs to."""
        return np.repeat(np.arange(len(self.sizes), dtype=np.int32), self.counts)

    @functools.cached_property
    def masks(self) -> np.ndarray:
        """(elements, pixels) float32: 1 where an element covers a pixel, positions row by row."""
        return np.concatenate([self._masks(size) for size in self.sizes])

    @functools.cached_property
    def analysis(self) -> np.ndarray:
        """(pixels, elements) float32: images @ analysis are the mean contrasts of the elements."""
        return (self.masks / self.masks.sum(axis=1, keepdims=True)).T

    @functools.cached_property
    def synthesis(self) -> np.ndarray:
        """(elements, pixels) float32: an element's share in the pixels that it covers.

        Each pixel's value is the mean over the elements of a scale that cover it: the sum over
        them divided by their number, which falls towards the image's edges.
        Multiply by the weights of the scales to combine them.
        """
        coverage = np.concatenate(
            [
                np.repeat(self._masks(size).sum(axis=0)[None], count, axis=0)
                for size, count in zip(self.sizes, self.counts, strict=True)
            ]
        )
        return self.masks / coverage

    def names(self) -> tuple[str, ...]:
        """The scales in words: "1x2" is one pixel high and two wide."""
        return tuple(f"{h}x{w}" for h, w in self.sizes)

    def _masks(self, size: Size) -> np.ndarray:
        """(positions, pixels): an element covers a pixel if both its row and column are in it."""
        rows = _intervals(size[0], self.height, self.stride)
        columns = _intervals(size[1], self.width, self.stride)
        covered = rows[:, None, :, None] * columns[None, :, None, :]
        return covered.reshape(len(rows) * len(columns), self.height * self.width)


@functools.lru_cache(maxsize=8)
def basis(sizes: tuple[Size, ...], height: int, width: int, stride: int = 1) -> Basis:
    """A `Basis`, kept: folds and inner folds of a recording share its matrices."""
    return Basis(sizes, height, width, stride)


def _intervals(length: int, total: int, stride: int) -> np.ndarray:
    """(positions, total): the intervals of `length` pixels on a line of `total`."""
    start, place = _starts(length, total, stride)[:, None], np.arange(total)[None]
    return ((place >= start) & (place < start + length)).astype(np.float32)


def _starts(length: int, total: int, stride: int) -> np.ndarray:
    """Where the intervals begin: every `stride` pixels, and one that ends with the line."""
    last = total - length
    return np.append(np.arange(0, last, stride), last)
