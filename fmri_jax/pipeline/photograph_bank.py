"""Photographs that nobody viewed in a recording, for identification and simulated trials."""

import dataclasses
from typing import Any

import numpy as np
from absl import logging

from fmri_jax.data.images import resize
from fmri_jax.errors import InputError
from fmri_jax.priors import photographs

_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of the eye for red, green and blue (BT.601)


@dataclasses.dataclass(frozen=True)
class Bank:
    """Where photographs come from.

    Attributes:
        paths: folders or zips.
        most: how many are drawn of them at most.
        seed: of the draw.
    """

    paths: tuple[str, ...]
    most: int
    seed: int = 0

    def about(self) -> dict[str, Any]:
        """What tells it from others, as plain JSON values."""
        return {"names": photographs.names_of(self.paths), "most": self.most, "seed": self.seed}


def read(bank: Bank, images: np.ndarray, reject: bool = False) -> np.ndarray:
    """Photographs of the size and channels of a recording's images, without those themselves.

    Photographs that nearly equal one of the images are left out.

    Args:
        bank: of photographs.
        images: (m, height, width, channels) uint8 of the recording.
        reject: whether one that equals an image exactly is an error, instead of left out.

    Returns:
        (n, size, size, channels) uint8.

    Raises:
        InputError: they cannot be read, none is left, or one is an image of the recording.
    """
    if bank.most < 1:
        raise InputError(f"{bank.most} photographs are asked for: expected at least 1.")
    found = photographs.read(bank.paths, images.shape[1], limit=bank.most, seed=bank.seed)
    if images.shape[-1] == 1:
        found = np.rint(found.astype(np.float32) @ _GREY)[..., None].astype(np.uint8)
    if reject:
        _reject_copies(bank, found, images)
    known = photographs.tested(as_rgb(found), [images])
    if known.any():
        logging.info("%d photographs nearly equal recorded images: left out", int(known.sum()))
    if known.all():
        raise InputError(
            f"{', '.join(bank.paths)} holds images of the recording alone: expected others."
        )
    return found[~known]


def as_rgb(images: np.ndarray) -> np.ndarray:
    """(n, h, w, 1 or 3) -> (n, h, w, 3)."""
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images


def _reject_copies(bank: Bank, found: np.ndarray, images: np.ndarray) -> None:
    """Raises an error for photographs that are images of the recording, the first by its name."""
    size = found.shape[1]
    own = {image.tobytes() for image in resize(images, size)}
    copies = [row for row, image in enumerate(found) if image.tobytes() in own]
    if copies:
        names = [
            f"{path}: {name}"
            for path, inside in photographs.choose(bank.paths, bank.most, bank.seed)
            for name in inside
        ]
        raise InputError(
            f"{len(copies)} photographs are images of the recording, the first {names[copies[0]]}: "
            "expected photographs that nobody viewed there, as test images must not be learned; "
            "remove them."
        )
