"""From volumes and labels to a recording: detrend, standardise, pair with images, drop rest."""

import pathlib
import warnings
import zlib
from typing import Any

import numpy as np

from fmri_jax.data.recording import Recording
from fmri_jax.datasets.miyawaki2008.archive import Files, list_files
from fmri_jax.errors import InputError, not_installed

SIDE = 10  # pixels
REST = -1  # the label of a volume without a pattern
AREAS = ("V1", "V2", "V3", "V3A", "V4v", "VP")
SPLITS = {"random": "train", "figure": "test"}
FIRST_RUN = {"random": 0, "figure": 20}  # the figure session's runs are counted on, from 21

DESCRIPTION = (
    "Real 3 T fMRI of one subject of Miyawaki et al. (2008), nilearn's archive: random 10x10 "
    "contrast patterns in training, geometric shapes and letters in testing; a trial is one volume."
)


def converted(folder: str, lag: int) -> Recording:
    """The recording in an unpacked archive, for a process of its own (`data.recordings_apart`)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is missing has been said
        files = list_files(pathlib.Path(folder))
    return convert(files, lag)


def convert(files: Files, lag: int) -> Recording:
    """Reads every run and puts them together.

    Args:
        files: of the archive.
        lag: volume t + lag answers image t.

    Raises:
        InputError: a file cannot be read, or does not fit the others.
    """
    mask = _mask(files.mask)
    fmri, shown, run, split = [], [], [], []
    for session, number, volumes, labels in files.runs:
        responses = standardise(_responses(volumes, mask))
        patterns = read_labels(labels)
        if len(patterns) != len(responses):
            raise InputError(
                f"{labels} has {len(patterns)} rows for the {len(responses)} volumes of {volumes}: "
                "expected one row a volume; the archive is damaged, download it again."
            )
        responses, patterns = pair(responses, patterns, lag)
        fmri.append(responses)
        shown.append(patterns)
        run.append(np.full(len(responses), FIRST_RUN[session] + number, np.int32))
        split.append(np.full(len(responses), SPLITS[session]))
    patterns = np.concatenate(shown)
    if not len(patterns):
        raise InputError(
            f"the runs beside {files.mask.parent} show no pattern that a volume {lag} later "
            "answers: expected labels of 0 and 1, and a lag far below a run's length; 2 is usual."
        )
    distinct, stimulus = np.unique(patterns, axis=0, return_inverse=True)
    return Recording(
        fmri=np.concatenate(fmri),
        stimulus=stimulus.reshape(-1).astype(np.int32),
        images=(distinct.astype(np.uint8) * 255).reshape(-1, SIDE, SIDE, 1),
        run=np.concatenate(run),
        rois=_rois(files, mask),
        stimulus_names=_names(stimulus.reshape(-1), np.concatenate(split), len(distinct)),
        split=np.concatenate(split),
        description=DESCRIPTION,
    )


def standardise(responses: np.ndarray) -> np.ndarray:
    """Removes each voxel's linear trend over a run and divides by its standard deviation.

    Args:
        responses: (volumes, voxels) of one run.

    Returns:
        The same shape, float32; a voxel that does not change is 0.
    """
    from scipy.signal import detrend

    centred = detrend(responses.astype(np.float64), axis=0)
    deviation = centred.std(axis=0)
    constant = deviation <= 1e-6 * np.abs(responses).max(axis=0)
    return np.where(constant, 0, centred / np.where(constant, 1, deviation)).astype(np.float32)


def read_labels(path: pathlib.Path) -> np.ndarray:
    """(volumes, 100) int8: the pattern of each volume row by row, or -1 throughout for rest.

    The file stores patterns column by column.

    Raises:
        InputError: the file cannot be read as such labels.
    """
    if not path.read_bytes().strip():
        raise InputError(f"{path} is empty: download the archive again.")
    try:
        values = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}): expected {SIDE * SIDE} numbers a row, separated by "
            "commas; download the archive again."
        ) from error
    rest = (values == REST).all(axis=1)
    pattern = np.isin(values, (0, 1)).all(axis=1)
    if values.shape[1] != SIDE * SIDE or not (rest | pattern).all():
        raise InputError(
            f"{path} has {values.shape[1]} columns and values from {values.min():g} to "
            f"{values.max():g}: expected {SIDE * SIDE} columns of 0 and 1, or of {REST} at rest."
        )
    columns = values.reshape(-1, SIDE, SIDE)
    return columns.transpose(0, 2, 1).reshape(-1, SIDE * SIDE).astype(np.int8)


def pair(responses: np.ndarray, patterns: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Responses (n, voxels) and the patterns (n, 100) that they answer; rest is left out."""
    responses, patterns = responses[lag:], patterns[: max(0, len(patterns) - lag)]
    shown = patterns[:, 0] != REST
    return responses[shown], patterns[shown]


def _responses(path: pathlib.Path, mask: np.ndarray) -> np.ndarray:
    """(volumes, voxels) of the mask."""
    volumes = _volumes(path)
    if volumes.ndim != 4 or volumes.shape[:3] != mask.shape:
        raise InputError(
            f"{path} has shape {volumes.shape}: expected {mask.shape} as the mask, and volumes."
        )
    responses = volumes[mask].T
    if not np.isfinite(responses).all():
        raise InputError(f"{path} holds values that are not finite: download the archive again.")
    return responses


def _rois(files: Files, mask: np.ndarray) -> dict[str, np.ndarray]:
    """The masks by name, and the areas that they make up."""
    rois = {}
    for name, path in files.rois.items():
        voxels = _mask(path, empty_allowed=True)
        if voxels.shape != mask.shape:
            raise InputError(f"{path} has shape {voxels.shape}: expected {mask.shape} as the mask.")
        rois[name] = voxels[mask]
    areas = {}
    for area in AREAS:
        parts = [f"{side}{area}{part}" for side in ("LH", "RH") for part in ("", "d", "v")]
        found = [rois[part] for part in parts if part in rois]
        if found:
            areas[area] = np.any(found, axis=0)
    return rois | areas


def _mask(path: pathlib.Path, empty_allowed: bool = False) -> np.ndarray:
    """(x, y, z) bool."""
    mask = np.squeeze(_volumes(path)) > 0
    if mask.ndim != 3 or not (mask.any() or empty_allowed):
        raise InputError(f"{path} has shape {mask.shape} and {int(mask.sum())} voxels: no mask.")
    return mask


def _volumes(path: pathlib.Path) -> Any:
    try:
        import nibabel
    except ImportError:
        raise not_installed("Reading NIfTI", "nibabel", "nifti") from None
    try:
        image: Any = nibabel.load(path)
        return np.asanyarray(image.dataobj)
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be read ({error}): expected a NIfTI file; download the archive again."
        ) from error


def _names(stimulus: np.ndarray, split: np.ndarray, count: int) -> tuple[str, ...]:
    """ "random 17" or "figure 3": numbered within their session."""
    names = [""] * count
    for session, name in SPLITS.items():
        for number, index in enumerate(np.unique(stimulus[split == name]), start=1):
            names[index] = f"{session} {number}"
    return tuple(names)
