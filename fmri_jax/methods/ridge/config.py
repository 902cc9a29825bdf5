"""The options of ridge regression."""

import dataclasses
import math

from fmri_jax.errors import InputError
from fmri_jax.linear.penalties import PENALTIES


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of ridge regression.

    Attributes:
        penalties: penalties to choose from, in units of the mean eigenvalue of the trials' Gram
            matrix; one for all pixels, of the smallest error when a stimulus is left out. A single
            one is taken as it is.
        average: whether the trials of a stimulus are averaged before the fit, for test responses
            that are averages; False for single test trials.
    """

    penalties: tuple[float, ...] = PENALTIES
    average: bool = True

    def __post_init__(self) -> None:
        """Rejects penalties that no fit can use."""
        if not self.penalties or not all(0 < penalty < math.inf for penalty in self.penalties):
            raise InputError(
                f"config.method.penalties is {self.penalties!r}: expected one or more positive "
                "numbers."
            )
