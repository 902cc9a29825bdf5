"""The sweep's command refuses a recording that it cannot use before it fits anything."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest


def save(path: pathlib.Path, images: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    stimulus = np.repeat(np.arange(len(images), dtype=np.int32), 2)
    fmri = rng.normal(size=(len(stimulus), 12)).astype(np.float32)
    np.savez(path, fmri=fmri, stimulus=stimulus, images=images)
    return str(path)


@pytest.mark.parametrize(
    ("side", "values", "found"),
    [(6, (0, 128, 255), "6 x 6 pixels with values from 0 to 255"), (4, (0, 255), "4 x 4 pixels")],
)
def test_images_of_another_kind_are_refused(tmp_path, side, values, found):
    images = np.random.default_rng(1).choice(np.asarray(values, np.uint8), (8, side, side, 1))
    recording = save(tmp_path / "own.npz", images)
    assert found in refused(recording, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_recording_is_named(tmp_path):
    assert "nowhere.npz" in refused(str(tmp_path / "nowhere.npz"), tmp_path / "out")


def refused(recording: str, out: pathlib.Path) -> str:
    command = [sys.executable, "-m", "examples.local_decoders_sweep", recording, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return done.stderr
