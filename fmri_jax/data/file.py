"""A recording of one's own: which reader opens it follows from what it is."""

import dataclasses
import importlib
import inspect
import pathlib
from typing import Any

from fmri_jax.data.session import Session
from fmri_jax.errors import InputError

READERS = {
    ".npz": "fmri_jax.data.npz",
    ".mat": "fmri_jax.data.mat",
    ".h5": "fmri_jax.data.bdata_session",
    ".hdf5": "fmri_jax.data.bdata_session",
    ".nii": "fmri_jax.data.nifti",
    ".nii.gz": "fmri_jax.data.nifti",
}
FOLDER = "fmri_jax.data.nifti"  # reads a folder


@dataclasses.dataclass(frozen=True)
class Config:
    """What the readers take besides the path; an option left as it is here is the reader's own."""

    images: str = ""  # folder or zip of the stimulus images (BData, NIfTI)
    test_path: str = ""  # BData of the test trials, where they are apart
    test_images: str = ""  # folder or zip of the test images, where they are apart
    masks: str = ""  # folder of NIfTI masks: the brain's and those of regions
    events: str = ""  # folder of the events tables, where they are not beside the volumes
    roi: str = ""  # ROI expression of the columns to read (BData)
    label: str = ""  # metadata key of the stimulus label (BData)
    delay: float = 5.0  # s from an event's onset to the response that is averaged (NIfTI)
    image_size: int = 0  # px, side of the square that images are resized to; 0: the reader's own


def load(path: str = "", **options: Any) -> Session:
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
    return call(importlib.import_module(reader_of(path)).load, path, {"path": path, **given})


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
    raise InputError(
        f"{path} ends in {place.suffix.lower()!r}: expected one of {', '.join(READERS)}; convert "
        "it to .npz."
    )


def call(reader: Any, name: str, options: dict[str, Any]) -> Session:
    """Calls a reader, refusing options that it does not take.

    Raises:
        InputError: it does not take one of them, or needs one that is absent.
    """
    signature = inspect.signature(reader)
    try:
        signature.bind(**options)
    except TypeError as error:
        raise InputError(
            f"data {name!r} cannot take the options {sorted(options)}: {error}; it takes "
            f"{', '.join(signature.parameters)}."
        ) from None
    return reader(**options)
