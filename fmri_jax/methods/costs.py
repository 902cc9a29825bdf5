"""What a fit of one fold will take, estimated from sizes before anything is computed."""

from typing import NamedTuple


class FoldSize(NamedTuple):
    """How large a fold is.

    Attributes:
        rows: training trials, prepared.
        stimuli: distinct images that they show.
        voxels: of each trial.
        pictured: rows that are reconstructed: test trials and a sample of training trials.
        image: height, width, channels of the prepared images.
    """

    rows: int
    stimuli: int
    voxels: int
    pictured: int
    image: tuple[int, int, int]

    @property
    def pixels(self) -> int:
        """Numbers of one image."""
        height, width, channels = self.image
        return height * width * channels


class Cost(NamedTuple):
    """What a method takes for one fold.

    Attributes:
        operations: in floating point, of the fit and of all reconstructions; where they run far
            slower than a matrix product, as many as that would compute in the time.
        disk: bytes that are kept: the decoder, and checkpoints.
    """

    operations: float
    disk: float
