"""MATLAB recordings: the variables of a `.mat` file, under the keys of `readers.arrays`.

Files of MATLAB's versions 4 to 7 are read by SciPy, those of `save -v7.3`, which are HDF5, by h5py.
Nothing in them is run: objects, function handles and structs are rejected where a recording needs
them, never built, and left alone elsewhere.

What MATLAB cannot say is understood: a vector is a row or a column; an array has no last axis of
length 1, so images of three axes are grey ones; texts are a cell array or the rows of a character
array. Captions are a cell array of texts, (stimuli, captions), or of cell arrays of texts.
"""

import pathlib
from collections.abc import Collection
from typing import Any

import h5py
import numpy as np

from fmri_jax.data.readers import mat_variables
from fmri_jax.data.readers.arrays import OPTIONAL, REQUIRED, session_from_arrays
from fmri_jax.data.readers.hdf5_files import own
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError

_KEYS = (*REQUIRED, *OPTIONAL)
_VECTORS = ("stimulus", "run", "simulated")
_TEXTS = ("roi_names", "stimulus_names", "captions", "split", "description", "modality")
_ONE_TEXT = ("description", "modality")
_LABELS = ("groups", "categories")  # texts or numbers


def load(path: str) -> Recording:
    """Reads a MATLAB recording.

    Args:
        path: the `.mat` file.

    Returns:
        The recording, checked.

    Raises:
        InputError: the file is missing or corrupt, a variable is an object or a struct, or its
            content cannot be used.
    """
    if not pathlib.Path(path).is_file():
        raise InputError(f"{path} is not a file: expected a .mat recording; check the path.")
    is_hdf5 = h5py.is_hdf5(path)
    raw = _read_hdf5(path) if is_hdf5 else _read_older(path)
    _check_bdata(path, raw, is_hdf5)
    return session_from_arrays({key: _as_array(path, key, raw[key]) for key in raw}, path)


def _check_bdata(path: str, names: Collection[str], is_hdf5: bool) -> None:
    """Rejects a table of BrainDecoderToolbox2, which bdpy makes an HDF5 file of."""
    if not {name.lower() for name in names} >= {"dataset", "metadata"}:
        return
    h5 = pathlib.Path(path).with_suffix(".h5").name
    first = "load it in MATLAB, save it with -v7, then " if is_hdf5 else ""
    raise InputError(
        f"{path} holds dataSet and metaData: it is a table of BrainDecoderToolbox2 (BData): "
        f"{first}convert it in Python, import bdpy; bdpy.BData({pathlib.Path(path).name!r})"
        f".save({h5!r}), and load that file with the folder of its images."
    )


def _read_older(path: str) -> dict[str, Any]:
    """The variables of a file of version 4 to 7; unused ones stay on disk."""
    from scipy import io

    try:
        found = mat_variables.of_file(path)
    except Exception as error:  # SciPy raises half a dozen kinds on corrupt files
        raise _corrupt(path, error) from None
    for variable in found:
        if variable.name in _KEYS and variable.is_object:
            raise _rejected(path, variable.name, *_object(variable.name, variable.kind))
    kinds = {variable.name: variable.kind for variable in found}
    used = [name for name in kinds if name in _KEYS]
    try:
        options = {"chars_as_strings": True, "spmatrix": False}
        variables = io.loadmat(path, variable_names=used, **options) if used else {}
    except Exception as error:
        raise _corrupt(path, error) from None
    for name in used:
        if kinds[name] == "logical":  # which loadmat gives as uint8
            variables[name] = variables[name].astype(bool)
    return {name: variables.get(name, np.empty(0)) for name in kinds}


def _corrupt(path: str, error: Exception) -> InputError:
    return InputError(
        f"{path} cannot be read as a .mat file ({error}): it is corrupt or no MATLAB file; write "
        "it again with save."
    )


def _read_hdf5(path: str) -> dict[str, Any]:
    """The variables of a file of version 7.3."""
    try:
        with h5py.File(path) as file:
            names = [name for name in file if not name.startswith("#")]
            return {n: _from_hdf5(file, path, n) if n in _KEYS else np.empty(0) for n in names}
    except InputError:
        raise
    except Exception as error:  # h5py raises half a dozen kinds on corrupt files
        raise InputError(
            f"{path} cannot be read as a .mat file ({error}): it is corrupt; write it again with "
            "save -v7.3."
        ) from None


def _from_hdf5(file: h5py.File, path: str, name: str) -> np.ndarray:
    """One variable with the axes that it has in MATLAB, which HDF5 holds in reverse."""
    stored = own(file[name], file)
    kind = _class_of(stored)
    if "MATLAB_sparse" in stored.attrs:
        raise _sparse(path, name)
    if isinstance(stored, h5py.Group) or "MATLAB_object_decode" in stored.attrs:
        raise _rejected(path, name, *_object(name, kind))
    if "MATLAB_empty" in stored.attrs and stored.attrs["MATLAB_empty"]:
        return np.zeros(tuple(int(n) for n in stored[()].ravel()))
    if kind == "cell":
        table = stored[()].T
        if name != "captions":
            return np.asarray(_texts_of(file, path, name, table))
        found = np.empty(table.shape, object)
        for place, reference in np.ndenumerate(table):
            cell = own(file[reference], file)
            inner = _class_of(cell) == "cell" and not _is_nothing(cell)
            references = cell[()] if inner else np.asarray([reference], h5py.ref_dtype)
            found[place] = np.asarray(_texts_of(file, path, name, references), object)
        return found
    if kind == "char":
        return np.asarray([_characters(row) for row in np.atleast_2d(stored[()].T)])
    if stored.dtype.kind not in "biuf":
        raise _rejected(path, name, f"a {kind}")
    values = stored[()].T
    return values.astype(bool) if kind == "logical" else values


def _texts_of(file: h5py.File, path: str, name: str, references: np.ndarray) -> list[str]:
    """The texts in the cells that are referred to, column by column."""
    cells = [own(file[reference], file) for reference in references.ravel(order="F")]
    for cell in cells:
        if _is_nothing(cell):
            continue
        if _class_of(cell) == "string":
            raise _rejected(path, name, "a cell array of strings", f"cellstr(string({name}))")
        if _class_of(cell) != "char":
            raise _rejected(path, name, f"a cell array of {_class_of(cell)}")
    return ["" if _is_nothing(cell) else _characters(cell[()]) for cell in cells]


def _is_nothing(stored: h5py.Dataset | h5py.Group) -> bool:
    """Whether a cell holds '', [] or NaN, which stand for no text."""
    if stored.attrs.get("MATLAB_empty", 0):
        return True
    if isinstance(stored, h5py.Group) or stored.dtype.kind != "f" or stored.size != 1:
        return False
    return bool(np.isnan(stored[()]).all())


def _class_of(stored: h5py.Dataset | h5py.Group) -> str:
    kind = stored.attrs.get("MATLAB_class", b"double")
    return kind.decode() if isinstance(kind, bytes) else str(kind)


def _characters(codes: np.ndarray) -> str:
    """Text from the UTF-16 codes of a MATLAB character array."""
    return codes.astype(np.uint16).ravel().tobytes().decode("utf-16-le").rstrip()


def _as_array(path: str, key: str, value: Any) -> np.ndarray:
    """A variable as `session_from_arrays` wants it."""
    from scipy.io.matlab import MatlabFunction, MatlabObject, MatlabOpaque
    from scipy.sparse import issparse

    if issparse(value):
        raise _sparse(path, key)
    if isinstance(value, (MatlabObject, MatlabOpaque, MatlabFunction)):
        raise _rejected(path, key, "an object or a function handle")
    if value.dtype.names:
        raise _rejected(path, key, "a struct")
    if key == "captions" and value.dtype.kind == "O":
        return _caption_rows(path, key, value)
    if key in _TEXTS:
        texts = [_text(path, key, item) for item in value.ravel()]
        if key in _ONE_TEXT:
            return np.asarray(texts[0] if texts else "", np.str_)
        return np.asarray(texts, np.str_)
    if key in _LABELS and value.dtype.kind in "OU":
        return np.asarray([_text(path, key, item) for item in value.ravel()], np.str_)
    if value.dtype.kind == "O":
        raise _rejected(path, key, "a cell array")
    if key in (*_VECTORS, *_LABELS) and value.ndim == 2 and 1 in value.shape:
        return value.ravel()
    if key == "images" and value.ndim == 3:
        return value[..., None]
    return value


def _caption_rows(path: str, key: str, cells: np.ndarray) -> np.ndarray:
    """(stimuli, captions) text, "" where there are fewer; a vector has one cell per stimulus."""
    table = cells.reshape(-1, 1) if cells.ndim < 2 or 1 in cells.shape else cells
    rows = []
    for row in table:
        parts = [np.asarray(cell) for cell in row]
        flat = [item for part in parts for item in (part.ravel() if part.dtype == "O" else [part])]
        rows.append([_text(path, key, item) for item in flat])
    most = max(map(len, rows), default=0)
    return np.asarray([[*row, *[""] * (most - len(row))] for row in rows], np.str_)


def _text(path: str, key: str, item: Any) -> str:
    item = np.asarray(item)
    if item.dtype.kind == "f" and item.size <= 1 and np.isnan(item).all():
        return ""  # [] and NaN stand for no text
    if item.dtype.kind != "U" or item.size > 1:
        raise _rejected(path, key, f"a list of {item.dtype} arrays")
    return str(item.ravel()[0]).rstrip() if item.size else ""


def _object(key: str, kind: str) -> tuple[str, str]:
    """What an object is called, and the command that makes a plain variable of it."""
    if kind == "struct":
        return "a struct", f"its fields as variables of their own, save(file, '-struct', '{key}')"
    table = f"{key}{{:, :}}"
    commands = {
        "string": f"char({key})" if key == "description" else f"cellstr({key})",
        "categorical": f"cellstr({key})",
        "table": f"cellstr({table})" if key in _TEXTS else table,
        "timetable": table,
        "dlarray": f"extractdata({key})",
        "gpuArray": f"gather({key})",
        "tall": f"gather({key})",
    }
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    what = 'string array ("..." in MATLAB)' if kind == "string" else f"{kind} object"
    return f"{article} {what}", commands.get(kind, "")


def _rejected(path: str, key: str, what: str, command: str = "") -> InputError:
    wanted = "a cell array of texts" if key in _TEXTS else "a plain array of numbers"
    store = f"store {command}" if command else "store it as that"
    return InputError(f"{path}: {key} is {what}: expected {wanted}; {store}.")


def _sparse(path: str, key: str) -> InputError:
    return InputError(f"{path}: {key} is sparse: expected a plain array; store full({key}).")
