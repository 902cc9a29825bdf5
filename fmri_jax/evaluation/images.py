"""The one image convention, checked by every public function of this package."""

import hashlib
from typing import Any

import numpy as np

from fmri_jax.errors import InputError

# Reconstructions may overshoot [0, 1] by this much (rounding of a clip in lower precision).
TOLERANCE = 1e-3


def as_images(images: Any, name: str) -> np.ndarray:
    """Returns images as float32 in [0, 1].

    Args:
        images: (n, height, width, channels); uint8 in 0..255, or floating point in [0, 1].
        name: what to call them in a message.

    Returns:
        (n, height, width, channels) float32; float64 stays float64.

    Raises:
        InputError: wrong number of axes, no image, not finite, or outside [0, 1].
    """
    array = np.asarray(images)
    if array.ndim != 4 or 0 in array.shape:
        raise InputError(
            f"{name} has shape {array.shape}: expected (n, height, width, channels), none 0."
        )
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    if array.dtype != np.float64:
        array = array.astype(np.float32)
    low, high = float(array.min()), float(array.max())  # a nan anywhere makes both nan
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{name} holds values that are not finite: expected numbers in [0, 1].")
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise InputError(
            f"{name} spans [{low:.3g}, {high:.3g}]: expected [0, 1]; divide 8-bit images by 255."
        )
    return array


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

    def number(image: np.ndarray) -> int:
        pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
        return numbers.setdefault(digest, len(numbers))

    return [np.array([number(image) for image in stack], np.int32) for stack in stacks]


def is_binary(targets: np.ndarray) -> bool:
    """Whether targets are one-channel images of zeros and ones, the case for binary metrics."""
    return targets.shape[-1] == 1 and bool(np.isin(targets, (0, 1)).all())
