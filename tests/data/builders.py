"""Good inputs, which the tests of readers read and those of bad input spoil."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
from PIL import Image

from tests.peers import peer

Arrays = dict[str, Any]

# Labels as published BData files write them, and the images that they name.
SYNSETS = [1518878.005958, 2084071.000012, 4099175.123456, 1518878.1]
SYNSET_NAMES = ["n01518878_5958", "n02084071_12", "n04099175_123456", "n01518878_100000"]
TRIALS, VOXELS = 24, 30  # of a BData recording
REGIONS = ["ROI_V1", "ROI_V2", "ROI_LOC", "ROI_hcp180_L_V1", "ROI_hcp180_R_V1"]

SHAPE, REPETITION_TIME = (4, 5, 3), 2.0  # of NIfTI volumes; s
AFFINE = np.diag([2.0, 2, 2, 1])
EVENTS = [(4.0, 6.0, "a.png"), (12.0, 6.0, "n/a"), (20.0, 6.0, "b.png"), (28.0, 0.0, "a.png")]

PHOTO = np.asarray(
    Image.effect_noise((40, 30), 60).resize((80, 60), Image.Resampling.BICUBIC).convert("RGB")
).copy()
PHOTO[..., 0] //= 2  # so that channels in the wrong order would be seen


def arrays() -> Arrays:
    """What an `.npz` holds: 6 stimuli x 4 repeats over 4 runs, 10 voxels, 3 regions."""
    rng = np.random.default_rng(0)
    left = np.arange(10) < 5
    return {
        "fmri": (3 + rng.normal(size=(24, 10))).astype(np.float32),
        "stimulus": np.tile(np.arange(6, dtype=np.int32), 4),
        "images": rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8),
        "run": np.repeat(np.arange(4, dtype=np.int32), 6),
        "roi_names": np.asarray(["V1", "V2", "V1v"]),
        "roi_masks": np.stack([left, ~left, np.arange(10) < 2]),
    }


def bdata(seed: int = 0) -> Any:
    """A recording as bdpy makes it: two sessions of three runs of four trials."""
    bdpy = peer("bdpy")
    rng = np.random.default_rng(0)
    data = bdpy.BData()
    data.add(rng.normal(size=(TRIALS, VOXELS)), "VoxelData")
    data.add(np.repeat([1.0, 2.0], 12)[:, None], "Session")
    data.add(np.tile(np.repeat([1.0, 2.0, 3.0], 4), 2)[:, None], "Run")
    data.add(np.tile(SYNSETS, 6)[:, None], "stimulus_id")
    rng = np.random.default_rng(1 + seed)
    for region in REGIONS:
        data.add_metadata(region, (rng.random(VOXELS) < 0.4).astype(float), where="VoxelData")
    return data


def synset_images(folder: Path) -> str:
    """The images of `bdata`, each in the folder of its synset."""
    for i, name in enumerate(SYNSET_NAMES):
        (folder / name[:9]).mkdir(parents=True, exist_ok=True)
        colour = np.full((20 + i, 30, 3), 40 * i, np.uint8)
        Image.fromarray(colour).save(folder / name[:9] / f"{name}.JPEG")
    return str(folder)


def change_h5(path: str | Path, change: Callable[[h5py.File], object]) -> str:
    """Changes an HDF5 file in place."""
    with h5py.File(path, "r+") as file:
        change(file)
    return str(path)


def replace_dataset(
    name: str, change: Callable[[np.ndarray], np.ndarray]
) -> Callable[[h5py.File], None]:
    """A change that puts another array in the place of one."""

    def change_it(file: h5py.File) -> None:
        value = file[name][()]
        del file[name]
        file[name] = change(value)

    return change_it


def photo() -> Image.Image:
    """A picture of 80 x 60 px, in colour."""
    return Image.fromarray(PHOTO)


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def zipped(path: Path, files: dict[str, bytes]) -> str:
    """A zip of these files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


def save_nifti(path: Path, array: np.ndarray) -> None:
    """Writes an array as NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, AFFINE)
    if array.ndim == 4:
        image.header.set_zooms((2, 2, 2, REPETITION_TIME))
    nibabel.save(image, path)


def bids_dataset(root: Path) -> Path:
    """Two runs of 20 scans in BIDS, with masks and two images."""
    rng = np.random.default_rng(0)
    lines = ["onset\tduration\tstim_file", *("\t".join(map(str, event)) for event in EVENTS)]
    for run in (1, 2):
        stem = f"sub-01_task-view_run-{run:02}"
        scans = 100 + rng.normal(size=(*SHAPE, 20)) + np.arange(20) * run
        save_nifti(root / "func" / f"{stem}_space-T1w_desc-preproc_bold.nii.gz", scans.astype("f4"))
        (root / "func" / f"{stem}_events.tsv").write_text("\n".join(lines) + "\n")
    brain = rng.random(SHAPE) < 0.6
    save_nifti(root / "masks" / "brain.nii.gz", brain.astype(np.uint8))
    v1 = brain & (rng.random(SHAPE) < 0.5)
    save_nifti(root / "masks" / "V1.nii.gz", v1.astype(np.uint8))
    (root / "stimuli").mkdir()
    for i, name in enumerate("ab"):
        Image.new("RGB", (9, 7), (90 * i, 0, 0)).save(root / "stimuli" / f"{name}.png")
    return root


def mat_object(name: str, kind: str, compressed: bool = False) -> bytes:
    """An object of MATLAB's newer kind as a version 5 file holds it: numbers into a subsystem."""

    def element(of: int, content: bytes) -> bytes:
        return struct.pack("<II", of, len(content)) + content + b"\0" * (-len(content) % 8)

    numbers = np.asarray([0xDD000000, 2, 1, 1, 1, 1], "<u4").tobytes()
    shape = element(6, struct.pack("<II", 13, 0)) + element(5, struct.pack("<ii", 6, 1))
    inner = element(14, shape + element(1, b"") + element(6, numbers))
    names = element(1, name.encode()) + element(1, b"MCOS") + element(1, kind.encode())
    whole = element(14, element(6, struct.pack("<II", 17, 0)) + names + inner)
    if not compressed:
        return whole
    packed = zlib.compress(whole)
    return struct.pack("<II", 15, len(packed)) + packed
