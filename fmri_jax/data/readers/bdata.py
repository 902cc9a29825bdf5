"""BData: the HDF5 tables of Kamitani lab's releases (`bdpy`, BrainDecoderToolbox2).

A file is one table of trials by columns. A column is a voxel, a label, a run number; the metadata,
one row per key, say which (NaN: does not apply), and which region a voxel belongs to. `vmap` turns
a label's number into text. Older files spell the groups `dataSet` and `metaData`.

ROI expressions follow `fmri_jax.data.roi`, in which `&` binds tighter than `+`, `|` and `-` and
parentheses nest; `bdpy` gives all four the same rank and mistakes nested parentheses.
"""

import pathlib
from typing import Any

import h5py
import numpy as np

from fmri_jax.data import roi
from fmri_jax.data.readers.hdf5_files import own
from fmri_jax.errors import InputError

_PREFIX = "ROI_"
_BLOCK_BYTES = 64 * 2**20  # of the table that is read at once


class BData:
    """One BData file, of which only the columns that are asked for are read.

    Attributes:
        path: the file.
        keys: the metadata's keys.
        shape: (trials, columns).
        rows: metadata key -> (columns,) float64.
    """

    def __init__(self, path: str):
        """Reads the metadata.

        Args:
            path: the `.h5` file.

        Raises:
            InputError: the file is missing, corrupt or no BData.
        """
        self.path = path
        if not pathlib.Path(path).is_file():
            raise InputError(f"{path} is not a file: expected a BData .h5; check the path.")
        try:
            with h5py.File(path) as file:
                table = self._member(file, h5py.Dataset, "dataset", "dataSet")
                self._table, self.shape, self.dtype = table.name, table.shape, table.dtype
                metadata = self._member(file, h5py.Group, "metadata", "metaData")
                stored = self._member(metadata, h5py.Dataset, "key")[()]
                keys = [_text(key) for key in np.ravel(stored)]
                values = np.asarray(self._member(metadata, h5py.Dataset, "value")[()], np.float64)
                self._vmaps = self._read_vmaps(file)
        except InputError:
            raise
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{path} is no BData ({error}): expected numbers in metadata/value, UTF-8 in "
                "metadata/key and numbers as the names in vmap; save it with bdpy."
            ) from None
        except (OSError, KeyError, RuntimeError) as error:
            raise InputError(f"{path} cannot be read as BData ({error}): copy it again.") from None
        self._check(keys, values)
        self.keys = tuple(keys)
        self.rows = dict(zip(keys, values, strict=True))

    @property
    def rois(self) -> tuple[str, ...]:
        """The keys of regions, `ROI_...`."""
        return tuple(key for key in self.keys if key.startswith(_PREFIX))

    def voxels(self) -> np.ndarray:
        """(columns,) bool: those of voxels, or of any region where the file does not say."""
        return self.columns("VoxelData" if "VoxelData" in self.keys else "*")

    def columns(self, expression: str) -> np.ndarray:
        """The columns that an ROI expression selects.

        Args:
            expression: over regions, whose prefix "ROI_" may be left out, and other metadata keys
                in full: "ROI_V1 = 1 | ROI_V2 = 1", "V1 + V2", "hcp180_*", "VoxelData".

        Returns:
            (columns,) bool.

        Raises:
            InputError: the expression cannot be read, or names what the file does not have.
        """

        def mask_of(name: str, value: float) -> np.ndarray:
            if name in self.rows:
                return self.rows[name] == value
            spelled = len(_PREFIX) * (not name.startswith(_PREFIX))
            return roi.match(name, value, {key[spelled:]: self.rows[key] for key in self.rois})

        try:
            unprefixed = [key.removeprefix(_PREFIX) for key in self.rois]
            return roi.select(expression, mask_of, [*self.keys, *unprefixed])
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None

    def read(
        self, columns: np.ndarray, dtype: type = np.float32, trials: np.ndarray | None = None
    ) -> np.ndarray:
        """Reads columns of the table, some trials at a time: memory stays near what is returned.

        Args:
            columns: (columns,) bool.
            dtype: of the result; labels need float64.
            trials: (trials,) bool, those to return; all when None.

        Returns:
            (chosen trials, selected columns).

        Raises:
            InputError: the file is corrupt.
        """
        chosen = np.ones(self.shape[0], bool) if trials is None else trials
        place = np.cumsum(chosen) - chosen  # of each chosen trial in the result
        wanted = np.flatnonzero(columns)
        selected: np.ndarray = np.empty((int(chosen.sum()), len(wanted)), dtype)
        if not selected.size:
            return selected
        low, high = wanted[0], wanted[-1] + 1  # one range is read fast, scattered columns are not
        rows = max(1, _BLOCK_BYTES // int((high - low) * self.dtype.itemsize))
        try:
            with h5py.File(self.path) as file:
                for start in range(0, self.shape[0], rows):
                    these = chosen[start : start + rows]
                    if these.any():
                        block = own(file[self._table], file)[start : start + rows, low:high]
                        at = place[start]
                        selected[at : at + these.sum()] = block[these][:, wanted - low]
        except OSError as error:
            raise InputError(f"{self.path} is corrupt ({error}): copy it again.") from None
        return selected

    def label(self, key: str) -> np.ndarray:
        """One number per trial, from the column that `key` marks.

        Args:
            key: such as "stimulus_id", "Run" or "Label"; "Label:2" is the second column that
                "Label" marks.

        Returns:
            (trials,) float64.

        Raises:
            InputError: no column has this key, or several have it and differ.
        """
        columns = self.label_columns(key)
        if not all(np.array_equal(columns[:, 0], c, equal_nan=True) for c in columns.T[1:]):
            raise InputError(
                f"{self.path}: {key} marks {columns.shape[1]} columns, which differ: expected one; "
                f"name one of them, {key}:1 to {key}:{columns.shape[1]}."
            )
        return columns[:, 0]

    def label_columns(self, key: str) -> np.ndarray:
        """The numbers of every column that `key` marks, (trials, columns) float64, as `label`."""
        name, _, place = key.rpartition(":")
        asked, chosen = key, slice(None)
        if key not in self.rows and name in self.rows and place.isdecimal() and int(place):
            key, chosen = name, slice(int(place) - 1, int(place))
        marked = np.flatnonzero(self.rows.get(key, np.zeros(self.shape[1])) == 1)[chosen]
        if not len(marked):
            raise InputError(
                f"{self.path} has no column {asked!r}: choose one of "
                f"{', '.join(sorted(set(self.keys) - set(self.rois)))}; the stimulus label is "
                "named by config.data.file.label."
            )
        return self.read(np.isin(np.arange(self.shape[1]), marked), np.float64)

    def texts(self, key: str, numbers: np.ndarray) -> list[str] | None:
        """The text of each number of a label, or None where the file maps none for this key.

        Args:
            key: as for `label`.
            numbers: of that label.

        Raises:
            InputError: a number has no text.
        """
        vmap = self._vmaps.get(key) or self._vmaps.get(key.rpartition(":")[0])
        if vmap is None:
            return None
        unknown = [number for number in numbers.tolist() if number not in vmap]
        if unknown:
            raise InputError(
                f"{self.path}: {key} holds {unknown[0]:g}, which its vmap does not name: expected "
                f"one of {len(vmap)} numbers; correct the vmap."
            )
        return [vmap[number] for number in numbers.tolist()]

    def _member(self, group: h5py.Group, kind: type, *names: str) -> Any:
        """The group or dataset of the first of these spellings that is there."""
        for name in names:
            if name in group:
                found = own(group[name], group.file)
                if isinstance(found, kind):
                    return found
                raise InputError(
                    f"{self.path}: {found.name} is a {type(found).__name__.lower()} of HDF5: "
                    f"expected a {kind.__name__.lower()}; save it with bdpy."
                )
        raise InputError(
            f"{self.path} holds {', '.join(group) or 'nothing'} in {group.name}: expected BData "
            f"with {group.name.rstrip('/')}/{names[0]}; for other arrays use an .npz recording."
        )

    def _read_vmaps(self, file: h5py.File) -> dict[str, dict[float, str]]:
        """The texts of each label, whose datasets are named by the number."""
        if "vmap" not in file:
            return {}
        vmaps = self._member(file, h5py.Group, "vmap")
        groups = {key: self._member(vmaps, h5py.Group, key) for key in vmaps}
        return {
            key: {float(n): _text(self._member(group, h5py.Dataset, n)[()]) for n in group}
            for key, group in groups.items()
        }

    def _check(self, keys: list[str], values: np.ndarray) -> None:
        if len(self.shape or ()) != 2 or 0 in self.shape:
            raise InputError(
                f"{self.path}: {self._table} has shape {self.shape}: expected (trials, columns)."
            )
        if self.dtype.kind not in "fiub":
            raise InputError(f"{self.path}: {self._table} is {self.dtype}: expected numbers.")
        if values.shape != (len(keys), self.shape[1]):
            raise InputError(
                f"{self.path}: metadata/value has shape {values.shape}: expected ({len(keys)}, "
                f"{self.shape[1]}), one row per key and one column per column of {self._table}."
            )
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(
                f"{self.path}: metadata/key holds {twice!r} twice: expected each once."
            )


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
