"""A small recording that the tests of this room change to their needs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmri_jax.data.session import Session


@pytest.fixture
def make_session() -> Callable[..., Session]:
    """Builds a session of 6 stimuli x 4 repeats over 4 runs, 10 voxels; fields can be replaced."""

    def make(**fields: Any) -> Session:
        rng = np.random.default_rng(0)
        stimulus = np.tile(np.arange(6, dtype=np.int32), 4)
        left = np.arange(10) < 5
        defaults = {
            "fmri": (3 + rng.normal(size=(24, 10))).astype(np.float32),
            "stimulus": stimulus,
            "images": rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8),
            "run": np.repeat(np.arange(4, dtype=np.int32), 6),
            "rois": {"V1": left, "V2": ~left, "V1v": np.arange(10) < 2},
            "stimulus_names": tuple("abcdef"),
            "split": np.where(stimulus < 4, "train", "test"),
        }
        return Session(**(defaults | fields))

    return make
