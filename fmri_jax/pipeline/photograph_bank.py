"""Photographs that nobody viewed in a recording, for identification and simulated trials."""

import dataclasses
from typing import Any

import numpy as np
from absl import logging

from fmri_jax.data.recording import Recording
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


def read(bank: Bank, recording: Recording) -> np.ndarray:
    """Photographs of the size and channels of the recording's images, without those themselves.

    Args:
        bank: of photographs.
        recording: no image of which, nor one that nearly equals it, may be among them.

    Returns:
        (n, size, size, channels) uint8.

    Raises:
        InputError: they cannot be read, or none is left.
    """
    if bank.most < 1:
        raise InputError(f"{bank.most} photographs are asked for: expected at least 1.")
    size, channels = recording.images.shape[1], recording.images.shape[-1]
    found = photographs.read(bank.paths, size, limit=bank.most, seed=bank.seed)
    known = photographs.tested(found, [recording.images])
    if known.any():
        logging.info("%d photographs are images of the recording: left out", int(known.sum()))
    found = found[~known]
    if not len(found):
        raise InputError(
            f"{', '.join(bank.paths)} holds images of the recording alone: expected others."
        )
    if channels == 1:
        return np.rint(found.astype(np.float32) @ _GREY)[..., None].astype(np.uint8)
    return found
