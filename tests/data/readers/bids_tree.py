"""Small BIDS folders, and what a straightforward reading of them is.

The scans of a run have one time course in every voxel, without a linear trend, so that the mean
over any other volumes than the right ones is another number.
"""

import json
import math
from fractions import Fraction
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

AFFINE = np.diag([2.0, 2, 2, 1])
SHAPE = (2, 2, 2)
TABLE = "onset\tduration\tstim_file\n4\t6\ta.png\n16\t6\tb.png\n"


def course(seed: int, volumes: int) -> np.ndarray:
    """(volumes,) without a linear trend, about 100."""
    values = np.random.default_rng(seed).normal(size=volumes)
    line = np.polyval(np.polyfit(np.arange(volumes), values, 1), np.arange(volumes))
    return 100 + 10 * (values - line)


def write_volumes(
    path: Path, seed: int = 0, volumes: int = 20, tr: float = 2.0, sidecar: dict | None = None
) -> Path:
    """Writes scans, and a sidecar beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scans = np.broadcast_to(course(seed, volumes), (*SHAPE, volumes)).astype("f4")
    image = nibabel.Nifti1Image(scans, AFFINE)
    image.header.set_zooms((2, 2, 2, tr))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)
    if sidecar is not None:
        write_json(path.with_name(path.name.split(".")[0] + ".json"), sidecar)
    return path


def write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_mask(path: Path, values: np.ndarray | None = None, affine: np.ndarray = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.ones(SHAPE, np.uint8) if values is None else values
    nibabel.save(nibabel.Nifti1Image(values, affine), path)


def write_images(folder: Path, names: str = "ab") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (4, 4), (90 * number,) * 3).save(folder / f"{name}.png")


def bare(root: Path) -> Path:
    """A folder with a mask and two images, and no runs yet."""
    write_mask(root / "masks" / "brain.nii.gz")
    write_images(root / "stimuli")
    return root


def dataset(root: Path, stems: tuple[str, ...] = ("run-01", "run-02")) -> Path:
    """A folder of one subject, of one task, with these runs; run i has the course of seed i."""
    bare(root)
    for seed, stem in enumerate(stems):
        name = f"sub-01_task-view_{stem}"
        write_volumes(root / "sub-01" / "func" / f"{name}_bold.nii.gz", seed)
        write_text(root / "sub-01" / "func" / f"{name}_events.tsv", TABLE)
    return root


def means(
    values: np.ndarray, events: list[tuple[float, float]], tr: str | Fraction, delay: float = 5.0,
    start: str = "0",
) -> list[float]:  # fmt: skip
    """The mean of each event's volumes, by whole fractions of the decimals in the tables."""
    found, step, first = [], Fraction(tr), Fraction(start)
    for onset, duration in events:
        begin = Fraction(str(onset)) + Fraction(str(delay)) - first
        end = begin + Fraction(str(duration))
        found.append(values[math.ceil(begin / step) : math.ceil(end / step)].mean())
    return found


EVENTS = [(4, 6), (16, 6)]  # of TABLE
