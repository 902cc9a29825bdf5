"""Simulated BOLD volumes: known single-trial betas, haemodynamic response, drift and noise."""

import dataclasses
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

AFFINE = np.diag([2.0, 2, 2, 1])


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A BIDS folder and what is true of it.

    Attributes:
        root: of the folder.
        betas: (trials, voxels), per run one after another.
        onsets: s of each run's trials.
        images: (n, side, side) uint8, all that are shown.
        stimulus: (trials,) which of them.
        scans: (volumes, voxels) of each run.
    """

    root: Path
    betas: np.ndarray
    onsets: list[np.ndarray]
    images: np.ndarray
    stimulus: np.ndarray
    scans: list[np.ndarray]


def simulate(
    root: Path,
    tr: float,
    runs: int = 2,
    trials: int = 20,
    shape: tuple[int, int, int] = (4, 4, 4),
    duration: float = 1.0,
    gap: tuple[float, float] = (4.0, 8.0),
    noise: float = 1.0,
    side: int = 4,
    seed: int = 0,
) -> Simulated:
    """Writes runs of jittered onsets, whose betas are linear in the pixels of random images."""
    from nilearn.glm.first_level import compute_regressor  # slow to import

    random = np.random.default_rng(seed)
    voxels = int(np.prod(shape))
    images = random.integers(0, 256, (runs * trials, side, side)).astype(np.uint8)
    weights = random.normal(size=(side * side, voxels)) / side
    betas = (images.reshape(len(images), -1) / 255 - 0.5) @ weights * 40
    onsets, scans = [], []
    for run in range(runs):
        times = np.round(8 + np.cumsum(random.uniform(*gap, trials)), 2)
        volumes = int(np.ceil((times[-1] + 25) / tr))
        frames = np.arange(volumes) * tr
        course = np.full((volumes, voxels), 1000.0)
        course += np.outer(np.cos(np.pi * frames / frames[-1]), random.normal(0, 10, voxels))
        course += random.normal(0, noise, course.shape)
        for time, beta in zip(times, betas[run * trials : (run + 1) * trials], strict=True):
            regressor, _ = compute_regressor(np.array([[time], [duration], [1]]), "glover", frames)
            course += regressor * beta
        onsets.append(times)
        scans.append(course.astype(np.float32))
        _write_run(root, run, scans[-1], times, duration, tr, shape)
    save(root / "masks" / "brain.nii.gz", np.ones(shape, np.uint8))
    (root / "stimuli").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(root / "stimuli" / f"{number:04}.png")
    return Simulated(root, betas, onsets, images, np.arange(len(images)), scans)


def _write_run(
    root: Path,
    run: int,
    scans: np.ndarray,
    onsets: np.ndarray,
    duration: float,
    tr: float,
    shape: tuple[int, int, int],
) -> None:
    import pandas

    stem = f"sub-01_task-view_run-{run + 1:02}"
    save(root / "sub-01" / "func" / f"{stem}_bold.nii.gz", scans.T.reshape(*shape, -1), tr)
    first = run * len(onsets)
    table = pandas.DataFrame(
        {
            "onset": onsets,
            "duration": duration,
            "stim_file": [f"{first + i:04}.png" for i in range(len(onsets))],
        }
    )
    table.to_csv(root / "sub-01" / "func" / f"{stem}_events.tsv", sep="\t", index=False)


def save(path: Path, array: np.ndarray, tr: float = 0.0) -> None:
    """Writes a NIfTI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, AFFINE)
    if array.ndim == 4:
        image.header.set_zooms((2, 2, 2, tr))
        image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)
