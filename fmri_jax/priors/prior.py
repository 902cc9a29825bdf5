"""What all priors are: networks, and where they come from."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Prior:
    """Images are square, of `image_size` pixels, with three colours in [0, 1].

    Attributes:
        config: sizes of the networks.
        params: of the networks, nested dicts of arrays.
        card: data, licence, steps and scores.
        fingerprint: SHA-256 of its file; "" of published weights, which do not change.
    """

    config: Any
    params: Any = dataclasses.field(repr=False)
    card: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    fingerprint: str = ""

    @property
    def image_size(self) -> int:
        """px, the side of the images."""
        return int(self.config.image_size)
