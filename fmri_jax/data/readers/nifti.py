"""NIfTI, as BIDS lays it out or as any lab does: volumes, events tables, masks and images.

Each run is a 4-D file with an events table (`.tsv` or `.csv`) of the same name up to its last part:

    sub-01_task-view_run-01_bold.nii.gz     scans: an event has `onset` and `duration`, in seconds
    sub-01_task-view_run-01_bold.json       `RepetitionTime` or `VolumeTiming`, `StartTime`
    sub-01_task-view_run-01_betas.nii.gz    response estimates: row i describes volume i
    sub-01_task-view_run-01_events.tsv      columns `stim_file`, optionally `split`

BIDS's entities are matched, so preprocessed volumes (`..._space-T1w_desc-preproc_bold.nii.gz`) find
the table of their run, and tables and sidecars further up are inherited. Rows whose `stim_file` is
empty or n/a show no image and are left out, and so are tasks that show none, such as rest. Masks
are 3-D files on the grid of the volumes: one called `brain` or `mask` chooses the voxels (without
it, the union of all masks does), the others are regions named by their file.

Files are read by nibabel and nilearn, names by pybids: `pip install nilearn pybids`.
"""

import dataclasses
import pathlib
import unicodedata
import warnings
from typing import Any

import numpy as np

from fmri_jax.data.images import list_images, read_named
from fmri_jax.data.readers import bids, event_tables, masks, responses, sidecars, timing, volumes
from fmri_jax.data.readers.bids import Volumes
from fmri_jax.data.readers.events import Event, columns_of, read_events
from fmri_jax.data.readers.nifti_files import opened
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of one run.

    Attributes:
        volumes: the 4-D file.
        table: its events table.
        events: the rows of the table.
    """

    volumes: Volumes
    table: pathlib.Path
    events: list[Event]

    @property
    def shown(self) -> list[Event]:
        """The events that show an image."""
        return [event for event in self.events if event.stimulus]


def load(
    path: str,
    images: str = "",
    masks: str = "",
    events: str = "",
    task: str = "",
    session: str = "",
    space: str = "",
    desc: str = "",
    echo: str = "",
    subject: str = "",
    delay: float = 5.0,
    repetition_time: float = 0.0,
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
        events: folder of the events tables; default `path`, and what BIDS inherits from above.
        task: label of the task whose runs are read, such as "view"; several by commas.
        session: labels of sessions, separated by commas; default all.
        space: label of the space of the volumes, such as "T1w"; "none" for files that name none.
        desc: label of their kind, such as "preproc"; "none" for files that name none.
        echo: number of the echo.
        subject: label of the subject, such as "01".
        delay: s from an event to its response; betas have none.
        repetition_time: s between volumes; 0: what sidecars and headers state.
        image_size: px, the side of the square that every image is resized to.

    Returns:
        The recording; runs count from 0 in the order of the files' names.

    Raises:
        InputError: nilearn or pybids is absent, a file is missing or corrupt, volumes and events or
            masks do not fit, times contradict each other, an image is missing, or there are several
            subjects, tasks or versions of a run to choose from.
    """
    responses.check_delay(delay)
    wanted = {
        "subject": subject, "task": task, "session": session, "space": space, "desc": desc,
        "echo": echo,
    }  # fmt: skip
    root = pathlib.Path(path)
    folder = root if root.is_dir() else root.parent
    found_volumes = bids.find_volumes(path)
    brain = masks_of(masks, folder)
    runs, left_out = find_runs(path, found_volumes, events, wanted)
    found, trials, run = [], [], []
    for number, each in enumerate(runs):
        found.append(_responses(each, brain, delay, repetition_time))
        trials += each.shown
        run += [number] * len(each.shown)
    if not trials:
        raise InputError(f"{path}: no event names a stim_file: expected the image of each trial.")
    source = images or str(folder / "stimuli")
    names, stimulus = _match(trials, list_images(source), source)
    return Recording(
        fmri=np.concatenate(found),
        stimulus=stimulus,
        images=read_named(source, names, image_size),
        run=np.asarray(run, np.int32),
        rois=brain.rois,
        stimulus_names=tuple(names),
        split=np.asarray([trial.split or TRAIN for trial in trials]),
        description=_description(runs, left_out, folder.name),
    )


def masks_of(path: str, folder: pathlib.Path) -> masks.Masks:
    """The masks of a recording in `folder`: in the folder `path`, or in `masks`."""
    return masks.read_masks(pathlib.Path(path) if path else folder / "masks")


def find_runs(
    path: str, found: list[Volumes], events: str = "", wanted: dict[str, str] | None = None
) -> tuple[list[Run], dict[str, str]]:
    """The runs that show images, and the tasks that are left out.

    Args:
        path: a folder, or one 4-D file.
        found: what `bids.find_volumes` finds there.
        events: folder of the events tables; "" for `path`.
        wanted: entity -> labels, see `bids.choose`.

    Returns:
        The runs in the order of their files, and task -> why it is left out.

    Raises:
        InputError: files are missing or contradict each other, or there are several to choose from.
    """
    wanted = wanted or {}
    root = pathlib.Path(path)
    found = bids.choose(found, path, wanted)
    bids.check_subject(found, path)
    place = pathlib.Path(events) if events else root if root.is_dir() else root.parent
    tables = event_tables.find_tables(place, [] if events else found)
    left_out: dict[str, str] = {}
    if not wanted.get("task"):
        found, left_out = event_tables.showing_images(found, tables, bool(events), path)
    bids.check_runs(found, path)
    runs = []
    for volume in found:
        table = event_tables.table_of(volume, tables, bool(events))
        runs.append(Run(volume, table, read_events(table, volume.is_betas)))
    _check_shared(runs)
    if left_out:
        warnings.warn(f"{path}: {_left_out(left_out)}.", stacklevel=3)
    return runs, left_out


def _check_shared(runs: list[Run]) -> None:
    """Rejects a table of several runs that says which rows belong to which run."""
    for run in runs:
        shared = [other for other in runs if other.table == run.table]
        columns = {column.casefold() for column in columns_of(run.table)}
        if len(shared) > 1 and (named := columns & {"run", "session"}):
            raise InputError(
                f"{run.table} serves {len(shared)} runs by its name and has a column "
                f"{min(named)!r}: expected one table per run; write each run's rows into a table "
                "of its name."
            )


def _responses(run: Run, masks: masks.Masks, delay: float, repetition_time: float) -> np.ndarray:
    """(trials, voxels) float32 of one run: of those rows that show an image."""
    path = run.volumes.path
    image = opened(path)
    scans = volumes.read_scans(path, image, masks)
    if run.volumes.is_betas:
        if len(scans) != len(run.events):
            raise InputError(
                f"{path} holds {len(scans)} volumes for {len(run.events)} rows of its events "
                "table: expected one row per volume."
            )
        return scans[[bool(event.stimulus) for event in run.events]]
    times = run_timing(run, image, repetition_time)
    return responses.delayed_means(scans, run.shown, times, delay, path)


def run_timing(run: Run, image: Any, repetition_time: float = 0.0) -> timing.Timing:
    """When the volumes of a run were taken, by its sidecars and its header.

    Raises:
        InputError: they contradict each other.
    """
    volume = run.volumes
    stated = sidecars.metadata(volume.path, volume.name, volume.places)
    if not stated.keys() & {"RepetitionTime", "VolumeTiming"}:  # then the raw data's hold
        raw = sidecars.metadata(volume.path, volume.name, sidecars.raw_levels(volume.path.parent))
        stated |= {k: v for k, v in raw.items() if k in ("RepetitionTime", "VolumeTiming")}
    return timing.timing(str(volume.path), image.shape[3], stated, image.header, repetition_time)


def _description(runs: list[Run], left_out: dict[str, str], folder: str) -> str:
    """One sentence on the files, and one on what was left out of them."""
    sentences = [f"fMRI from {len(runs)} NIfTI files in {folder}."]
    if blank := sum(len(run.events) - len(run.shown) for run in runs):
        sentences.append(f"{blank} rows of the events tables show no image and are left out.")
    if left_out:
        sentences.append(f"{_left_out(left_out).capitalize()}.")
    return " ".join(sentences)


def _left_out(tasks: dict[str, str]) -> str:
    return "; ".join(
        f"the task {task or 'of no name'} is left out: {why}" for task, why in tasks.items()
    )


def _match(trials: list[Event], available: list[str], source: str) -> tuple[list[str], np.ndarray]:
    """The images that are shown, and the index of each trial's.

    A name in another Unicode normal form, as macOS writes it, is the same name.
    """
    files: dict[str, list[str]] = {}
    for name in available:
        files.setdefault(unicodedata.normalize("NFC", name), []).append(name)

    def file_of(name: str) -> str:
        same = files.get(unicodedata.normalize("NFC", name), [])
        return name if name in same else same[0] if len(same) == 1 else ""

    shown = {trial.stimulus: file_of(trial.stimulus) for trial in trials}
    missing = sorted(name for name, file in shown.items() if not file)
    if missing:
        raise InputError(
            f"{source} lacks {len(missing)} of {len(shown)} images that the events name, first "
            f"{missing[0]}: expected files named as in stim_file, relative to that folder."
        )
    names = sorted(set(shown.values()))
    place = {name: i for i, name in enumerate(names)}
    return names, np.asarray([place[shown[trial.stimulus]] for trial in trials], np.int32)
