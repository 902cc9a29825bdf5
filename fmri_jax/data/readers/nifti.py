"""NIfTI, as BIDS lays it out or as any lab does: volumes, events tables, masks and images.

Each run is a 4-D file with an events table (`.tsv` or `.csv`) of the same name up to its last part:

    sub-01_task-view_run-01_bold.nii.gz     scans: an event has `onset` and `duration`, in seconds
    sub-01_task-view_run-01_betas.nii.gz    response estimates: row i describes volume i
    sub-01_task-view_run-01_events.tsv      columns `stim_file`, optionally `split`

BIDS's entities are matched, so preprocessed volumes (`..._space-T1w_desc-preproc_bold.nii.gz`) find
the table of their run. Rows whose `stim_file` is empty or n/a show no image and are left out. Masks
are 3-D files on the grid of the volumes: one called `brain` or `mask` chooses the voxels (without
it, the union of all masks does), the others are regions named by their file.

Volumes are masked by nilearn, an optional extra: `pip install nilearn`.
"""

import math
import pathlib
import re
import zlib
from typing import Any

import numpy as np

from fmri_jax.data.images import list_images, read_named
from fmri_jax.data.readers import bids
from fmri_jax.data.readers.bids import check_runs, find_tables, find_volumes, is_betas, table_of
from fmri_jax.data.readers.events import Event, read_events
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError

_DAMAGE = (OSError, EOFError, ValueError, zlib.error)  # what damaged files raise
_BRAIN = ("brain", "mask", "brain_mask", "brainmask")
_SECONDS = {"msec": 1e-3, "usec": 1e-6}  # of a unit of time; a header that names none means seconds


def load(
    path: str,
    images: str = "",
    masks: str = "",
    events: str = "",
    delay: float = 5.0,
    image_size: int = 64,
) -> Recording:
    """Reads a recording from NIfTI.

    From scans a trial's response is the mean over the volumes between `onset + delay` and
    `onset + duration + delay` (the nearest one where there is none between), after each voxel's
    linear trend over the run is removed, its mean kept: about 5 s after its cause the
    haemodynamic response is largest.

    Args:
        path: a folder, or one 4-D file.
        images: folder or zip of the images that `stim_file` names; default `<path>/stimuli`.
        masks: folder of 3-D masks; default `<path>/masks`.
        events: folder of the events tables; default `path`.
        delay: s from an event to its response; betas have none.
        image_size: px, the side of the square that every image is resized to.

    Returns:
        The recording; runs count from 0 in the order of the files' names.

    Raises:
        InputError: nilearn is absent, a file is missing or damaged, volumes and events or masks do
            not fit, an image is missing, or there are several subjects or several files of a run.
    """
    if not math.isfinite(delay):
        raise InputError(f"delay is {delay}: expected a number of seconds, such as 5.")
    root = pathlib.Path(path)
    folder = root if root.is_dir() else root.parent
    volumes = find_volumes(path)
    check_runs(volumes, path)
    mask, rois = _read_masks(pathlib.Path(masks) if masks else folder / "masks")
    tables = find_tables(pathlib.Path(events) if events else folder)
    responses, trials, run = [], [], []
    for number, volume in enumerate(volumes):
        rows = read_events(table_of(volume, tables), is_betas(volume))
        responses.append(_responses(volume, mask, rows, delay))
        _check_finite(responses[-1], volume)
        shown = [row for row in rows if row.stimulus]
        trials += shown
        run += [number] * len(shown)
    if not trials:
        raise InputError(f"{path}: no event names a stim_file: expected the image of each trial.")
    source = images or str(folder / "stimuli")
    names, stimulus = _match(trials, list_images(source), source)
    return Recording(
        fmri=np.concatenate(responses),
        stimulus=stimulus,
        images=read_named(source, names, image_size),
        run=np.asarray(run, np.int32),
        rois=rois,
        stimulus_names=tuple(names),
        split=np.asarray([trial.split or TRAIN for trial in trials]),
        description=f"fMRI from {len(volumes)} NIfTI files in {folder.name}.",
    )


def _read_masks(folder: pathlib.Path) -> tuple[Any, dict[str, np.ndarray]]:
    """The image of the voxels to take, and each region's (voxels,) bool among them."""
    nibabel = bids.nibabel_module()
    files = sorted(folder.glob("*.nii*")) if folder.is_dir() else []
    if not files:
        raise InputError(
            f"{folder} holds no masks: expected at least one 3-D NIfTI mask on the grid of the "
            "volumes, such as brain.nii.gz or V1.nii.gz; name their folder as masks."
        )
    grids = {}
    for file in files:
        image = _opened(file)
        try:
            values = np.asanyarray(image.dataobj)
        except _DAMAGE as error:
            raise InputError(f"{file} is damaged ({error}): copy it again.") from None
        if values.ndim == 4 and values.shape[3] == 1:
            values = values[..., 0]
        if values.ndim != 3 or not np.isin(values, (0, 1)).all():
            raise InputError(
                f"{file} is no mask: its shape is {values.shape} and its values lie from "
                f"{values.min():g} to {values.max():g}; expected three axes of 0 and 1."
            )
        grids[re.sub(r"\.nii(\.gz)?$", "", file.name)] = (values.astype(bool), image.affine)
    (first, affine), *_ = grids.values()
    for name, (values, other) in grids.items():
        if values.shape != first.shape or not np.allclose(other, affine, atol=1e-3):
            raise InputError(
                f"{folder}: mask {name} has another grid than {next(iter(grids))}: expected all "
                "masks in one space; resample it."
            )
    brains = [name for name in grids if name.lower() in _BRAIN]
    chosen = brains[:1] or list(grids)
    brain = np.any([grids[name][0] for name in chosen], axis=0)
    if not brain.any():
        raise InputError(f"{folder}: the mask {chosen[0]} is empty: expected some voxels.")
    rois = {name: values[brain] for name, (values, _) in grids.items() if name not in brains}
    return nibabel.Nifti1Image(brain.astype(np.uint8), affine), rois


def _responses(volume: pathlib.Path, mask: Any, rows: list[Event], delay: float) -> np.ndarray:
    """(trials, voxels) float32 of one run: of those rows that show an image."""
    from nilearn.masking import apply_mask

    image = _opened(volume)
    if image.ndim != 4 or image.shape[:3] != mask.shape:
        raise InputError(
            f"{volume} has shape {image.shape}: expected {mask.shape} and volumes, the grid of the "
            "masks; resample one of them."
        )
    if not np.allclose(image.affine, mask.affine, atol=1e-3):
        raise InputError(
            f"{volume} lies elsewhere in space than the masks (their affines differ): resample one "
            "of them to the other."
        )
    try:
        # Without ensure_finite nilearn would let NaN pass; with it, NaN would become 0 unseen.
        scans = apply_mask(image, mask, ensure_finite=False).astype(np.float32)
    except _DAMAGE as error:
        raise InputError(f"{volume} is damaged ({error}): copy it again.") from None
    if is_betas(volume):
        if len(scans) != len(rows):
            raise InputError(
                f"{volume} holds {len(scans)} volumes for {len(rows)} rows of its events table: "
                "expected one row a volume."
            )
        return scans[[bool(row.stimulus) for row in rows]]
    events = [row for row in rows if row.stimulus]
    unit = _SECONDS.get(image.header.get_xyzt_units()[1], 1)
    tr = float(image.header.get_zooms()[3]) * unit
    return _averages(_detrended(scans), events, tr, delay, volume)


def _check_finite(responses: np.ndarray, volume: pathlib.Path) -> None:
    finite = np.isfinite(responses).all(axis=0)
    if not finite.all():
        raise InputError(
            f"{volume} holds values that are not finite in {int((~finite).sum())} of "
            f"{len(finite)} voxels of the masks: expected numbers; leave them out of the masks."
        )


def _detrended(scans: np.ndarray) -> np.ndarray:
    """Scans without each voxel's linear trend; its mean stays."""
    from nilearn.signal import clean

    if len(scans) == 1:  # has no trend, and would come back with its mean still in it
        return scans
    mean = scans.mean(axis=0)
    return clean(scans, detrend=True, standardize=None, filter=False) + mean


def _averages(
    scans: np.ndarray, rows: list[Event], tr: float, delay: float, volume: pathlib.Path
) -> np.ndarray:
    """The mean over each event's volumes; volume i is taken at i times the repetition time."""
    if not 0.1 <= tr <= 20:
        raise InputError(
            f"{volume} states a repetition time of {tr:g} s: expected 0.1 to 20 s; correct pixdim "
            "or the unit of time in its header."
        )
    averages = np.empty((len(rows), scans.shape[1]), np.float32)
    for row, event in zip(averages, rows, strict=True):
        start, stop = event.onset + delay, event.onset + event.duration + delay
        first = int(np.ceil(start / tr - 1e-6))
        last = int(np.ceil(stop / tr - 1e-6))
        if last <= first:
            first = round((start + stop) / 2 / tr)
            last = first + 1
        if first < 0:
            raise InputError(
                f"{volume}: the response of its event at {event.onset:g} s begins at {start:g} s, "
                "before the first volume: expected onsets in seconds from the first volume on; "
                "drop that row or correct its onset."
            )
        if last > len(scans):
            raise InputError(
                f"{volume} ends after {len(scans) * tr:g} s, but its event at {event.onset:g} s "
                f"has its response until {stop:g} s: expected scans that cover every event; drop "
                "that row or lower delay."
            )
        row[...] = scans[first:last].mean(axis=0)
    return averages


def _match(trials: list[Event], available: list[str], source: str) -> tuple[list[str], np.ndarray]:
    """The images that are shown, and the index of each trial's."""
    names = sorted({trial.stimulus for trial in trials})
    missing = [name for name in names if name not in set(available)]
    if missing:
        raise InputError(
            f"{source} lacks {len(missing)} of {len(names)} images that the events name, first "
            f"{missing[0]}: expected files named as in stim_file, relative to that folder."
        )
    place = {name: i for i, name in enumerate(names)}
    return names, np.asarray([place[trial.stimulus] for trial in trials], np.int32)


def _opened(file: pathlib.Path) -> Any:
    nibabel = bids.nibabel_module()
    try:
        return nibabel.load(file)
    except (*_DAMAGE, nibabel.filebasedimages.ImageFileError) as error:
        raise InputError(f"{file} cannot be read as NIfTI ({error}): copy it again.") from None
