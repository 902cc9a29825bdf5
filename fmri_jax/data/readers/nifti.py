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

Files are read by nibabel and nilearn, names by pybids: `pip install 'fmri_jax[nifti]'`.
"""

import pathlib
import unicodedata
from collections.abc import Sequence

import numpy as np

from fmri_jax.data.images import list_images, read_named
from fmri_jax.data.readers import array_groups, bids, glm, masks, responses
from fmri_jax.data.readers.events import Event
from fmri_jax.data.readers.masks import brain_beside
from fmri_jax.data.readers.runs import Run, find_runs, left_out_text
from fmri_jax.data.recording import TRAIN, Recording
from fmri_jax.errors import InputError


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
    response: str = "mean",
    delay: float = 5.0,
    estimator: str = "lss",
    hrf_model: str = "glover",
    drift_model: str = "cosine",
    high_pass: float = 0.01,
    confounds: str = "",
    repetition_time: float = 0.0,
    image_size: int = 64,
    groups: str = "",
) -> Recording:
    """Reads a recording from NIfTI.

    From scans a trial's response is by default the mean over the volumes between `onset + delay`
    and `onset + duration + delay` (the nearest one where there is none between), after each voxel's
    linear trend over the run is removed, its mean kept: about 5 s after its cause the
    haemodynamic response is largest. With `response="glm"` it is the trial's regression weight in a
    model of the run (see `glm`), which tells overlapping responses apart.

    Args:
        path: a folder, or one 4-D file.
        images: folder or zip of the images that `stim_file` names; default `<path>/stimuli`.
        masks: folder of 3-D masks; default `<path>/masks`, without which fMRIPrep's brain masks are
            taken if every run has one.
        events: folder of the events tables; default `path`, and what BIDS inherits from above.
        task: label of the task whose runs are read, such as "view"; several by commas.
        session: labels of sessions, separated by commas; default all.
        space: label of the space of the volumes, such as "T1w"; "none" for files that name none.
        desc: label of their kind, such as "preproc"; "none" for files that name none.
        echo: number of the echo.
        subject: label of the subject, such as "01".
        response: "mean", delayed; or "glm", single-trial betas.
        delay: s from an event to its response, of "mean"; betas have none.
        estimator: of "glm": "lsa" (least squares all), "lss" (separate) or "glmsingle" (its package
            must be installed).
        hrf_model: of "glm": nilearn's name of the haemodynamic response, such as "spm".
        drift_model: of "glm": "cosine", "polynomial" or "none".
        high_pass: Hz, below which "cosine" removes drift.
        confounds: of "glm": fMRIPrep's, as nilearn groups them, such as "motion,wm_csf".
        repetition_time: s between volumes; 0: what sidecars and headers state.
        image_size: px, the side of the square that every image is resized to.
        groups: column of the events tables that says which images depend on one another, such as
            "condition" or the movie of a frame; "" for none.

    Returns:
        The recording; runs count from 0 in the order of the files' names.

    Raises:
        InputError: nilearn or pybids is absent, a file is missing or corrupt, volumes and events or
            masks do not fit, times contradict each other, an image is missing, or there are several
            subjects, tasks or versions of a run to choose from.
    """
    estimated_by = responses.ResponseConfig(
        response=response,
        delay=delay,
        repetition_time=repetition_time,
        glm=glm.GLMConfig(estimator, hrf_model, drift_model, high_pass, confounds),
    )
    wanted = {
        "subject": subject, "task": task, "session": session, "space": space, "desc": desc,
        "echo": echo,
    }  # fmt: skip
    root = pathlib.Path(path)
    folder = root if root.is_dir() else root.parent
    found_volumes = bids.find_volumes(path)
    chosen = bids.choose(found_volumes, path, wanted)
    own = bool(masks) or not any(brain_beside(volume.path) for volume in chosen)
    brain = masks_of(masks, folder) if own else None  # its absence is reported first
    runs, left_out = find_runs(path, found_volumes, events, wanted, groups)
    brain = brain or masks_of(masks, folder, runs)
    found = responses.estimate(runs, brain, estimated_by)
    trials = [event for each in runs for event in each.shown]
    if not trials:
        raise InputError(f"{path}: no event names a stim_file: expected the image of each trial.")
    source = images or str(folder / "stimuli")
    names, stimulus = _match(trials, list_images(source), source)
    return Recording(
        fmri=np.concatenate(found),
        stimulus=stimulus,
        images=read_named(source, names, image_size),
        run=np.repeat(np.arange(len(runs)), [len(each.shown) for each in runs]).astype(np.int32),
        rois=brain.rois,
        stimulus_names=tuple(names),
        split=np.asarray([trial.split or TRAIN for trial in trials]),
        groups=_groups(groups, trials, stimulus, len(names)),
        description=_description(runs, left_out, folder.name),
    )


def _groups(
    column: str, trials: list[Event], stimulus: np.ndarray, n_images: int
) -> tuple[str, ...]:
    """The group of each image, by a column of the events tables."""
    labels = [trial.group for trial in trials]
    return array_groups.by_trial(column, labels, stimulus, n_images) if column else ()


def masks_of(path: str, folder: pathlib.Path, runs: Sequence[Run] = ()) -> masks.Masks:
    """The masks of a recording in `folder`: in the folder `path`, in `masks`, or fMRIPrep's."""
    if path:
        return masks.read_masks(pathlib.Path(path))
    return masks.read_masks(folder / "masks", [run.volumes.path for run in runs])


def _description(runs: list[Run], left_out: dict[str, str], folder: str) -> str:
    """One sentence on the files, and one on what was left out of them."""
    sentences = [f"fMRI from {len(runs)} NIfTI files in {folder}."]
    if blank := sum(len(run.events) - len(run.shown) for run in runs):
        sentences.append(f"{blank} rows of the events tables show no image and are left out.")
    if left_out:
        sentences.append(f"Moreover {left_out_text(left_out)}.")
    return " ".join(sentences)


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
