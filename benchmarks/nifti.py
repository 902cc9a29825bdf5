"""NIfTI: a run of real size beside nilearn's masker, and how near each response is to the truth.

    python -m benchmarks.nifti                              # 400 volumes x 60,000 voxels
    python -m benchmarks.nifti --volumes 100 --side 32

Each reading is a process of its own, so that its peak memory is its own; ours and nilearn's
alternate, and the median of the rounds is printed. Importing either package does not count. Then
simulated runs with known single-trial betas (haemodynamic response, drift, noise, jittered onsets)
are read by each choice of response, and the correlation with the true betas over trials is printed,
the mean over voxels.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import nibabel
import numpy as np

from tests.data.simulated_bold import save, simulate

SHARE = 0.41  # of the grid that the mask takes: 60,000 of 64 x 64 x 36 voxels
STEM = "sub-01_task-view_run-01"


def make(folder: pathlib.Path, volumes: int, side: int) -> None:
    """Writes one run of int16, as scanners do, with its events, mask and images."""
    random = np.random.default_rng(0)
    shape = (side, side, round(side * 36 / 64))
    scans = random.normal(1000, 50, (*shape, volumes)).astype(np.int16)
    save(folder / "func" / f"{STEM}_bold.nii.gz", scans, 2.0)
    rows = "".join(f"{onset}\t6\t{onset % 5}.png\n" for onset in range(10, 2 * volumes - 20, 12))
    table = folder / "func" / f"{STEM}_events.tsv"
    table.write_text(f"onset\tduration\tstim_file\n{rows}")
    save(folder / "masks" / "brain.nii.gz", (random.random(shape) < SHARE).astype(np.uint8))
    (folder / "stimuli").mkdir()
    from PIL import Image

    for i in range(5):
        Image.new("L", (8, 8), 50 * i).save(folder / "stimuli" / f"{i}.png")


def ours_load(folder: pathlib.Path) -> tuple[int, ...]:
    """Everything: names, events, times, masks, scans, their trend, delayed means, images."""
    from fmri_jax.data import load

    return load(str(folder), image_size=8).fmri.shape


def nilearn_load(folder: pathlib.Path) -> tuple[int, ...]:
    """Scans within the mask without their linear trend."""
    return _masker(folder, detrend=True)


def ours_scans(folder: pathlib.Path) -> tuple[int, ...]:
    """Scans within the mask."""
    from fmri_jax.data.readers.masks import read_masks
    from fmri_jax.data.readers.nifti_files import opened
    from fmri_jax.data.readers.volumes import read_scans

    path = folder / "func" / f"{STEM}_bold.nii.gz"
    return read_scans(path, opened(path), read_masks(folder / "masks")).shape


def nilearn_scans(folder: pathlib.Path) -> tuple[int, ...]:
    """Scans within the mask."""
    return _masker(folder, detrend=False)


def _masker(folder: pathlib.Path, detrend: bool) -> tuple[int, ...]:
    from nilearn.maskers import NiftiMasker

    masker = NiftiMasker(
        mask_img=nibabel.load(folder / "masks" / "brain.nii.gz"),
        detrend=detrend,
        standardize=None,
        reports=False,
    )
    return masker.fit_transform(str(folder / "func" / f"{STEM}_bold.nii.gz")).shape


READINGS = (ours_load, nilearn_load, ours_scans, nilearn_scans)


def measure(name: str, folder: pathlib.Path) -> None:
    """Prints the seconds, the peak memory in MiB above that of the imports, and the shape."""
    import nilearn.maskers  # noqa: F401

    import fmri_jax.data.readers.nifti  # noqa: F401

    before = _peak()
    start = time.perf_counter()
    shape = {reading.__name__: reading for reading in READINGS}[name](folder)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, _peak() - before, shape]))


def _peak() -> float:
    """The most memory that this process has held, in MiB; `getrusage` counts its parent's, too."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def readings(volumes: int, side: int, rounds: int) -> None:
    """Times and peaks of all readings."""
    with tempfile.TemporaryDirectory() as folder:
        make(pathlib.Path(folder), volumes, side)
        found: dict[str, list] = {reading.__name__: [] for reading in READINGS}
        for _ in range(rounds):
            for name in found:
                command = [sys.executable, "-m", "benchmarks.nifti", "--measure", name, folder]
                output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                found[name].append(json.loads(output.splitlines()[-1]))
    for name, results in found.items():
        seconds, peak = (
            statistics.median(column) for column in list(zip(*results, strict=True))[:2]
        )
        print(f"{name:14} {seconds:6.2f} s  peak {peak:6.0f} MiB  {tuple(results[0][2])}")


def responses(noise: float) -> None:
    """Correlation with the true betas of each choice of response."""
    from fmri_jax.data import load

    choices = {
        "mean": {},
        "lsa": {"response": "glm", "estimator": "lsa"},
        "lss": {"response": "glm", "estimator": "lss"},
    }
    print(
        f"\ncorrelation with the true betas; noise {noise:g}; onsets 4 to 8 s, or 10 to 14 s apart"
    )
    print("TR   ", *(f"{name:>6}" for name in choices), "  ", *(f"{name:>6}" for name in choices))
    for tr in (0.7, 1.4, 2.0, 2.5):
        cells = []
        for gap in ((4.0, 8.0), (10.0, 14.0)):
            with tempfile.TemporaryDirectory() as folder:
                made = simulate(pathlib.Path(folder) / "ds", tr, trials=30, gap=gap, noise=noise)
                for options in choices.values():
                    found = load(str(made.root), image_size=4, **options).fmri
                    pairs = zip(found.T, made.betas.T, strict=True)
                    near = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
                    cells.append(f"{np.mean(near):6.3f}")
        print(f"{tr:<5}", *cells[:3], "  ", *cells[3:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--volumes", type=int, default=400)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("READING", "FOLDER"))
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], pathlib.Path(options.measure[1]))
        return
    readings(options.volumes, options.side, options.rounds)
    for noise in (1.0, 8.0):
        responses(noise)


if __name__ == "__main__":
    main()
