"""A recording of one's own: which reader opens it follows from what it is."""

import dataclasses
import importlib
import inspect
import pathlib
from collections.abc import Iterable
from typing import Any

from fmri_jax.data import modality, recordings_apart
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError

READERS = {
    ".npz": "fmri_jax.data.readers.npz",
    ".mat": "fmri_jax.data.readers.mat",
    ".h5": "fmri_jax.data.readers.bdata_recording",
    ".hdf5": "fmri_jax.data.readers.bdata_recording",
    ".nii": "fmri_jax.data.readers.nifti",
    ".nii.gz": "fmri_jax.data.readers.nifti",
}
FOLDER = "fmri_jax.data.readers.nifti"  # reads a folder
ARRAYS = {  # those whose files say everything by themselves
    "fmri_jax.data.readers.npz": ".npz",
}
FORMATS = {  # what people call the files of those readers that take options
    "fmri_jax.data.readers.bdata_recording": "BData",
    "fmri_jax.data.readers.nifti": "NIfTI",
}


def _option(default: Any, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class Config:
    """What the readers take besides the path; an option left as it is here is the reader's own."""

    images: str = _option("", "folder or zip of the stimulus images")
    test_path: str = _option("", "file of the test trials, where they are apart")
    test_images: str = _option("", "folder or zip of the test images, where they are apart")
    masks: str = _option("", "folder of masks: the brain's and those of regions")
    events: str = _option("", "folder of the events tables, if not beside the volumes")
    task: str = _option("", "BIDS task to read")
    session: str = _option("", "BIDS sessions to read, by commas")
    space: str = _option("", "space of the BIDS volumes, such as T1w")
    desc: str = _option("", "kind of the BIDS volumes, such as preproc")
    echo: str = _option("", "number of the echo of the BIDS volumes")
    subject: str = _option("", "BIDS subject to read")
    roi: str = _option("", "ROI expression of the columns to read")
    label: str = _option("", "metadata key of the stimulus label")
    delay: float = _option(5.0, "s from an event's onset to the response that is averaged")
    response: str = _option("mean", "of each trial: mean (delayed) or glm (single-trial betas)")
    estimator: str = _option("lss", "of response=glm: lsa, lss or glmsingle")
    hrf_model: str = _option("glover", "of response=glm: nilearn's haemodynamic response")
    drift_model: str = _option("cosine", "of response=glm: cosine, polynomial or none")
    high_pass: float = _option(0.01, "Hz, of response=glm: below which cosine removes drift")
    confounds: str = _option("", "of response=glm: fMRIPrep's, such as motion,wm_csf")
    repetition_time: float = _option(0.0, "s between volumes, where their files disagree")
    image_size: int = _option(0, "px, side of the square that images are resized to")
    modality: str = _option("", "what was recorded: fMRI, spikes, MEG, EEG, ECoG, ...")
    groups: str = _option("", "key or events column of groups of images that depend on one another")


def load(path: str = "", **options: Any) -> Recording:
    """Reads a recording from a file or a folder of NIfTI.

    Args:
        path: `.npz`, `.mat`, BData `.h5`, `.nii` or `.nii.gz`, or a folder.
        **options: of `Config`, of which a reader is given those that differ from their default.

    Returns:
        The recording, checked.

    Raises:
        InputError: no reader knows this kind of file, one does not take an option, or the content
            cannot be used.
    """
    if not path:
        raise InputError("No recording is given: name its file with --config.data.path=my.npz.")
    unset = dataclasses.asdict(Config())
    given = {key: value for key, value in options.items() if value != unset.get(key)}
    kind = given.pop("modality", "")  # whatever the format is
    reader = importlib.import_module(reader_of(path)).load
    _check_options(path, given, list(inspect.signature(reader).parameters)[1:])
    options = {"path": path, **given}
    places = [pathlib.Path(value) for value in options.values() if isinstance(value, str) and value]
    return recordings_apart.recording(
        f"{__name__}:read",
        path,
        places,
        {"options": options},
        modality.canonical(kind) if kind else "",
    )


def read(options: dict[str, Any]) -> Recording:
    """The recording that a reader makes of these options, its path among them."""
    path = options["path"]
    return call(importlib.import_module(reader_of(path)).load, path, options)


def _check_options(path: str, given: Iterable[str], taken: list[str]) -> None:
    """Rejects those options that the reader of `path` does not take, and says which formats do.

    Raises:
        InputError: it does not take one of them.
    """
    unfit = [option for option in given if option not in taken]
    if not unfit:
        return
    belongs = [f"{option} (of {' and '.join(takers(option)) or 'no format'})" for option in unfit]
    raise InputError(
        f"{path} cannot be read with {', '.join(belongs)}: expected "
        f"{'at most ' + ', '.join(taken) if taken else 'no option'} beside the path of such a "
        f"file; leave {'them' if len(unfit) > 1 else 'it'} out."
    )


def takers(option: str) -> dict[str, Any]:
    """The formats whose readers take an option -> the default there."""
    if option == "modality":
        return {"any format": ""}
    signatures = {
        name: inspect.signature(importlib.import_module(reader).load).parameters
        for reader, name in {**FORMATS, **ARRAYS}.items()
    }
    return {
        name: parameters[option].default
        for name, parameters in signatures.items()
        if option in parameters
    }


def reader_of(path: str) -> str:
    """The module that reads what stands at `path`.

    Raises:
        InputError: none does, or nothing stands there.
    """
    place = pathlib.Path(path)
    if place.is_dir():
        return FOLDER
    for suffix, reader in READERS.items():
        if place.name.lower().endswith(suffix):
            return reader
    if not place.exists():
        raise InputError(f"{path} does not exist: expected a recording; check the path.")
    ending = f"ends in {place.suffix.lower()!r}" if place.suffix else "has no ending"
    raise InputError(f"{path} {ending}: expected one of {', '.join(READERS)}; convert it to .npz.")


def call(reader: Any, name: str, options: dict[str, Any]) -> Recording:
    """Calls a reader, rejecting options that it does not take.

    Raises:
        InputError: it does not take one of them, or needs one that is absent.
    """
    parameters = inspect.signature(reader).parameters
    kinds = {taken.kind for taken in parameters.values()}
    unfit = [option for option in options if option not in parameters]
    if unfit and inspect.Parameter.VAR_KEYWORD not in kinds:
        raise InputError(
            f"data {name!r} cannot take {', '.join(unfit)}: expected options among "
            f"{', '.join(parameters) or 'none'}; leave out what is not among them."
        )
    needed = [option for option, taken in parameters.items() if taken.default is taken.empty]
    absent = [o for o in needed if o not in options and parameters[o].kind.name != "VAR_KEYWORD"]
    if absent:
        raise InputError(f"data {name!r} needs {', '.join(absent)}: expected a value; give one.")
    return reader(**options)
