"""A recording of seconds, for tests of how the fits of a run are divided."""

import pathlib

import numpy as np

from fmri_jax.data.readers.npz import save_npz
from fmri_jax.data.recording import Recording


def write_recording(path: pathlib.Path) -> None:
    """12 images of 32 px, each shown twice, in 30 voxels."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 4, 4, 3), np.uint8)
    stimulus = np.repeat(np.arange(12, dtype=np.int32), 2)
    fmri = small.reshape(12, -1)[stimulus] / 128 @ rng.normal(size=(48, 30))
    recording = Recording(
        (fmri + rng.normal(size=fmri.shape)).astype(np.float32),
        stimulus,
        small.repeat(8, axis=1).repeat(8, axis=2),
        run=np.zeros(24, np.int32),
        rois={},
        stimulus_names=tuple(map(str, range(12))),
        split=np.full(24, "train"),
    )
    save_npz(recording, path)
