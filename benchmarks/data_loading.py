"""BData of real size: select a region, prepare a recording, start again; beside bdpy in one run.

    python -m benchmarks.data_loading                      # 6,000 trials x 13,000 columns, 0.6 GB
    python -m benchmarks.data_loading --trials 600 --columns 2000

Each measurement is a process of its own, so that its peak memory is its own. Ours and bdpy's
alternate, and the median of the rounds is printed. The file lies in the page cache for both, and
importing either package does not count.
"""

import argparse
import importlib
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

REGION = "ROI_VC"
STIMULI = 1200


def make(folder: pathlib.Path, trials: int, columns: int) -> None:
    """Writes `data.h5`, a BData file as the published ones are, and the images that it shows."""
    from PIL import Image

    rng = np.random.default_rng(0)
    stimuli = min(STIMULI, trials)
    labels = np.asarray([float(f"{1440764 + i}.{i + 1:06d}") for i in range(stimuli)])
    with h5py.File(folder / "data.h5", "w") as file:
        table = file.create_dataset("dataset", (trials, columns), "f8")
        for start in range(0, trials, 500):
            rows = min(500, trials - start)
            table[start : start + rows] = rng.standard_normal((rows, columns))
        table[:, -2] = np.arange(trials) * 24 // trials + 1
        table[:, -1] = np.resize(labels, trials)
        voxels = np.where(np.arange(columns) < columns - 2, 1.0, np.nan)
        run, label = (np.where(np.arange(columns) == columns - i, 1.0, np.nan) for i in (2, 1))
        region = np.where(np.arange(columns) < 0.9 * columns, 1.0, np.nan)
        keys = ["VoxelData", "Run", "stimulus_id", REGION]
        file["metadata/key"] = [key.encode() for key in keys]
        file["metadata/description"] = [b""] * len(keys)
        file["metadata/value"] = np.stack([voxels, run, label, region])
    (folder / "images").mkdir()
    for i in range(stimuli):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((160, 160))
        picture.save(folder / "images" / f"n{1440764 + i:08d}_{i + 1}.JPEG")


def ours_select(folder: pathlib.Path) -> list[int]:
    """Opens the file and reads one region as float32."""
    from fmri_jax.data.readers.bdata import BData

    table = BData(str(folder / "data.h5"))
    return list(table.read(table.columns(REGION)).shape)


def bdpy_select(folder: pathlib.Path) -> list[int]:
    """The same by bdpy, which reads the whole table as float64."""
    import bdpy

    selected = bdpy.BData(str(folder / "data.h5")).select(f"{REGION} = 1")
    return list(selected.astype(np.float32).shape)


def ours_start(folder: pathlib.Path) -> list[int]:
    """From file and images to a prepared recording; the second call reads what the first left."""
    from fmri_jax.data.readers import bdata_recording
    from fmri_jax.datasets import cache

    path, images = str(folder / "data.h5"), str(folder / "images")
    recording = cache.prepare(
        lambda: bdata_recording.load(path, images, roi=REGION, image_size=64),
        "benchmark",
        folder / "prepared",
        "key",
    )
    return list(recording.fmri.shape)


TASKS = {task.__name__: task for task in (ours_select, bdpy_select, ours_start)}


def measure(task: str, folder: pathlib.Path) -> dict[str, float]:
    """Runs a task in a process of its own."""
    words = [sys.executable, __file__, "--task", task, "--folder", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def child(task: str, folder: pathlib.Path) -> None:
    importlib.import_module("bdpy" if task == "bdpy_select" else "fmri_jax.data.readers.bdata")
    start = time.perf_counter()
    shape = TASKS[task](folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": time.perf_counter() - start, "gib": peak, "shape": shape}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=6000)
    parser.add_argument("--columns", type=int, default=13000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--task", choices=TASKS)
    parser.add_argument("--folder", type=pathlib.Path)
    options = parser.parse_args()
    if options.task:
        child(options.task, options.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make(folder, options.trials, options.columns)
        pairs = [
            (measure("ours_select", folder), measure("bdpy_select", folder))
            for _ in range(options.rounds)
        ]
        first, second = measure("ours_start", folder), measure("ours_start", folder)
    report(options.trials, options.columns, pairs, first, second)


def report(
    trials: int,
    columns: int,
    pairs: list[tuple[dict[str, float], dict[str, float]]],
    first: dict[str, float],
    second: dict[str, float],
) -> None:
    """Prints one line a measurement, and the ratios."""
    ours, peer = (
        {key: statistics.median(run[key] for run in runs) for key in ("seconds", "gib")}
        for runs in zip(*pairs, strict=True)
    )
    assert pairs[0][0]["shape"] == pairs[0][1]["shape"]
    print(f"{trials} x {columns} float64, region of {pairs[0][0]['shape'][1]} voxels")
    for name, row in {
        "select, bdpy": peer,
        "select, fmri_jax": ours,
        "first start: read, select, prepare": first,
        "second start: read back": second,
    }.items():
        print(f"  {name:36} {row['seconds']:7.2f} s  {row['gib']:5.2f} GiB at most")
    print(
        f"  bdpy / fmri_jax: {peer['seconds'] / ours['seconds']:.1f} times the time, "
        f"{peer['gib'] / ours['gib']:.1f} times the memory"
    )


if __name__ == "__main__":
    main()
