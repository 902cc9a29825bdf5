"""The one image convention, checked by every public function of this package."""

import hashlib
from typing import Any

import numpy as np

from fmri_jax.arrays import as_images as as_images
from fmri_jax.errors import InputError


def as_pair(targets: Any, reconstructions: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns targets and reconstructions as float32 images of one shape.

    Args:
        targets: (n, height, width, channels), the targets.
        reconstructions: the same shape, what was decoded.

    Raises:
        InputError: either is not a stack of images, or their shapes differ.
    """
    targets = as_images(targets, "targets")
    reconstructions = as_images(reconstructions, "reconstructions")
    if targets.shape != reconstructions.shape:
        raise InputError(
            f"targets have shape {targets.shape} and reconstructions {reconstructions.shape}: "
            "expected the same shape, one reconstruction per target."
        )
    return targets, reconstructions


def image_ids(*stacks: np.ndarray) -> list[np.ndarray]:
    """Numbers images so that the same image has the same number, within and across stacks.

    Recordings keep 8-bit images, so images that agree at 8 bits are the same stimulus.

    Args:
        *stacks: each (n, height, width, channels) in [0, 1].

    Returns:
        One (n,) int32 array per stack; numbers count up in the order of first appearance.
    """
    numbers: dict[bytes, int] = {}

    def number(pixels: np.ndarray) -> int:
        digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
        return numbers.setdefault(digest, len(numbers))

    def of(stack: np.ndarray) -> np.ndarray:
        found: list[int] = []
        for start in range(0, len(stack), 64):
            block = np.rint(np.clip(stack[start : start + 64], 0, 1) * 255).astype(np.uint8)
            found += [number(pixels) for pixels in block]
        return np.array(found, np.int32)

    return [of(stack) for stack in stacks]


def is_binary(targets: np.ndarray) -> bool:
    """Whether targets are one-channel images of zeros and ones, the case for binary metrics."""
    return targets.shape[-1] == 1 and bool(np.isin(targets, (0, 1)).all())
