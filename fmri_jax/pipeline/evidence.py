"""Which rows of a run are independent evidence, by what its recording says of its images."""

from typing import NamedTuple

import numpy as np

from fmri_jax.data.recording import Recording
from fmri_jax.evaluation.units import independent_units
from fmri_jax.pipeline.rows import Rows


class Labels(NamedTuple):
    """What makes images of a recording depend on one another; (images,) numbers, -1 for none."""

    groups: np.ndarray | None = None
    categories: np.ndarray | None = None

    @classmethod
    def of(cls, recording: Recording) -> "Labels":
        """Those that the recording names."""
        return cls(
            recording.group_numbers if recording.groups else None,
            recording.category_numbers if recording.categories else None,
        )


UNNAMED = Labels()  # of a recording that says nothing of its images


def units(rows: Rows, labels: Labels = UNNAMED) -> np.ndarray:
    """(n,) the number of each row's unit: its stimulus, or all that depend on one another.

    Args:
        rows: of one test set.
        labels: of the images of the recording.
    """
    known = [of[rows.stimulus] for of in labels if of is not None]
    return independent_units(rows.targets, rows.stimulus, *known)
