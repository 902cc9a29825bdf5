"""What was taken from which file."""

import pathlib
from typing import Any

from fmri_jax.data.readers import arrays, bids
from fmri_jax.data.readers.bdata import BData
from fmri_jax.data.readers.bdata_labels import LABELS
from fmri_jax.data.readers.bdata_recording import RUNS
from fmri_jax.data.readers.nifti_files import opened
from fmri_jax.data.readers.runs import find_runs, run_timing
from fmri_jax.data.recording import Recording

Sources = list[tuple[str, str]]  # file -> what was taken from it


def sources(
    path: str, kind: str, options: dict[str, Any], recording: Recording, names: list[str]
) -> Sources:
    """Names every file that a recording comes from, and what was taken from each.

    Args:
        path: the file or folder of the recording.
        kind: of file, as `listing` names it.
        options: of its reader.
        recording: as it was read.
        names: of what the file holds.

    Raises:
        InputError: a file has changed since the recording was read.
    """
    if kind == "NIfTI":
        return _nifti(path, options, recording)
    if kind == "BData":
        return _bdata(path, options, recording)
    known = {*arrays.REQUIRED, *arrays.OPTIONAL}
    file = pathlib.Path(path).name
    rows = [(file, ", ".join(name for name in names if name in known))]
    if ignored := [name for name in names if name not in known]:
        rows.append((file, f"not used: {', '.join(ignored)}"))
    return rows


def _nifti(path: str, options: dict[str, Any], recording: Recording) -> Sources:
    root = pathlib.Path(path)
    folder = root if root.is_dir() else root.parent
    wanted = {name: str(options.get(name) or "") for name in bids.CHOICES}
    runs, left_out = find_runs(path, bids.find_volumes(path), options.get("events") or "", wanted)
    rows: Sources = []
    for run in runs:
        image, file = opened(run.volumes.path), run.volumes.path
        what = f"{image.shape[3]} volumes"
        if not run.volumes.is_betas:
            timing = run_timing(run, image, float(options.get("repetition_time") or 0.0))
            what += f", one every {float(timing.step):g} s"
        rows.append((_within(file, folder), what))
        blank = len(run.events) - len(run.shown)
        without = f", {blank} without an image left out" if blank else ""
        rows.append((_within(run.table, folder), f"{len(run.shown)} trials{without}"))
    rows += [(f"task {task}", f"left out: {why}") for task, why in left_out.items()]
    masks = pathlib.Path(options.get("masks") or folder / "masks")
    sizes = ", ".join(f"{name} {mask.sum()}" for name, mask in recording.rois.items())
    origin = _within(masks, folder) if masks.is_dir() else "masks of fMRIPrep beside the volumes"
    rows.append((origin, f"{recording.fmri.shape[1]} voxels; {sizes or 'no region'}"))
    images = pathlib.Path(options.get("images") or folder / "stimuli")
    rows.append((_within(images, folder), f"{len(recording.images)} images"))
    return rows


def _bdata(path: str, options: dict[str, Any], recording: Recording) -> Sources:
    rows: Sources = []
    for file, split in ((path, "train"), (options.get("test_path") or "", "test")):
        if not file:
            continue
        table = BData(file)
        keys = (
            [options["label"]] if options.get("label") else [k for k in LABELS if k in table.keys]
        )
        labels = [f"{key} ({table.label_columns(key).shape[1]})" for key in keys]
        runs = next((keys for keys in RUNS if set(keys) & set(table.keys)), ())
        trials = (
            int((recording.split == split).sum()) if options.get("test_path") else table.shape[0]
        )
        name, voxels = pathlib.Path(file).name, recording.fmri.shape[1]
        rows += [
            (name, f"{trials} trials x {voxels} voxels of {options.get('roi') or 'all'}"),
            (name, f"labels (columns): {', '.join(labels)}; runs: {', '.join(runs) or 'none'}"),
        ]
    folders = [options.get("images") or "", options.get("test_images") or ""]
    rows += [(folder, "images by these labels") for folder in folders if folder]
    return rows


def _within(path: pathlib.Path, folder: pathlib.Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
