"""The options of ridge regression."""

import dataclasses
import math
from typing import Literal

from fmri_jax.errors import InputError
from fmri_jax.linear.penalties import PENALTIES


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of ridge regression.

    Attributes:
        penalties: penalties to choose from, in units of the mean eigenvalue of the trials' Gram
            matrix; one for all pixels. A single one is taken as it is.
        choose: by what the penalty is chosen: "error", the least squared error of a left-out
            stimulus, or "identification", how often it is told from the other training stimuli in
            pairs, which takes a weaker penalty.
        average: whether the trials of a stimulus are averaged before the fit, for test responses
            that are averages; False for single test trials.
    """

    penalties: tuple[float, ...] = PENALTIES
    average: bool = True
    choose: Literal["error", "identification"] = "error"

    def __post_init__(self) -> None:
        """Rejects penalties that no fit can use."""
        if not self.penalties or not all(0 < penalty < math.inf for penalty in self.penalties):
            raise InputError(
                f"config.method.penalties is {self.penalties!r}: expected one or more positive "
                "numbers."
            )
