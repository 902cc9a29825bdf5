"""One malformed input and the message that it must produce."""

import dataclasses
from collections.abc import Callable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        what: is wrong with the input.
        open: makes the input in an empty folder and has it read.
        message: pattern that the error must match.
    """

    what: str
    open: Callable[[Path], object]
    message: str
