"""What a file holds, read from its headers: names, shapes and types, no values."""

import pathlib
import zipfile

import h5py
import numpy as np

from fmri_jax.data.readers import bids, event_tables, mat_variables
from fmri_jax.data.readers.nifti_files import opened
from fmri_jax.data.readers.registry import reader_of
from fmri_jax.errors import InputError

Listing = list[tuple[str, str]]  # name -> what it is


def listing(path: str, masks: str = "", events: str = "") -> tuple[str, Listing]:
    """Names what a file or folder holds.

    Args:
        path: of a kind that `fmri_jax.data.readers.registry` reads.
        masks: folder of NIfTI masks; default `<path>/masks`.
        events: folder of the events tables; default `path`.

    Returns:
        The kind of file, and name and description of each thing in it.

    Raises:
        InputError: the path does not exist, is of an unknown kind, or is corrupt.
    """
    place = pathlib.Path(path)
    if not place.exists():
        raise InputError(f"{path} does not exist: expected a recording; check the path.")
    reader = reader_of(path)
    try:
        if reader.endswith(".npz"):
            return "NumPy archive", _npz(path)
        if reader.endswith(".nifti"):
            return "NIfTI", _nifti(path, masks, events)
        if h5py.is_hdf5(path):
            return ("MATLAB 7.3" if reader.endswith(".mat") else "HDF5"), _hdf5(path)
        if reader.endswith(".mat"):
            return "MATLAB", _mat(path)
    except InputError:
        raise
    except (
        Exception
    ) as error:  # NumPy, SciPy, zipfile and h5py raise what they like on corrupt files
        raise InputError(
            f"{path} cannot be read ({error}): it is corrupt or of another kind; copy it again."
        ) from None
    raise InputError(f"{path} is no HDF5 file: it is corrupt or cut short; copy it again.")


def _npz(path: str) -> Listing:
    entries = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as stream:
                version = np.lib.format.read_magic(stream)
                read = {1: np.lib.format.read_array_header_1_0}.get(
                    version[0], np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read(stream)
            entries.append((name.removesuffix(".npy"), _array(shape, dtype)))
    return entries


def _mat(path: str) -> Listing:
    return [
        (
            variable.name,
            variable.kind if variable.is_object else _array(variable.shape, variable.kind),
        )
        for variable in mat_variables.of_file(path)
    ]


def _hdf5(path: str) -> Listing:
    """Datasets, leaving out what MATLAB and BData keep for themselves."""
    entries: Listing = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith(("#", "vmap/", "header/")):
            entries.append((name, _array(item.shape, item.attrs.get("MATLAB_class", item.dtype))))

    with h5py.File(path) as file:
        file.visititems(visit)
    return entries


def _nifti(path: str, masks: str, events: str) -> Listing:
    root = pathlib.Path(path)
    folder = root if root.is_dir() else root.parent
    volumes = bids.find_volumes(path)
    place = pathlib.Path(events) if events else folder
    tables = event_tables.find_tables(place, [] if events else volumes)
    entries = []
    for volume in volumes:
        image = opened(volume.path)
        of_run = event_tables.tables_of(volume, tables, bool(events))
        found = " and ".join(f"events {table.path.name}" for table in of_run) or "no events table"
        what = f"{_array(image.shape, image.get_data_dtype())}, {found}"
        entries.append((volume.path.name, what))
    place = pathlib.Path(masks) if masks else folder / "masks"
    names = ", ".join(mask.name for mask in sorted(place.glob("*.nii*")))
    entries.append(("masks", names or f"none in {place.name}/"))
    return entries


def _array(shape: tuple[int, ...], dtype: object) -> str:
    kind = dtype.decode() if isinstance(dtype, bytes) else str(dtype)
    size = " x ".join(map(str, shape)) or "one value"
    return f"{size} {'Python objects' if kind == 'object' else kind}"
