"""A layer's fit in a folder: one file per block of units, or one map that all units share."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from fmri_jax.errors import InputError
from fmri_jax.files import place, replacing
from fmri_jax.linear.feature_ridge import all_voxels
from fmri_jax.linear.feature_ridge.all_voxels import StimulusMap, StimulusModel
from fmri_jax.linear.feature_ridge.fitted import FittedRidge, predict
from fmri_jax.linear.feature_ridge.responses import Targets, centre, read
from fmri_jax.linear.feature_ridge.selected import joined
from fmri_jax.linear.model import SparseLinearModel

JSON, MAP, MOMENT = "ridge.json", "map.safetensors", "moment.safetensors"
MEASURED = ("responses", "first targets")  # in the JSON file: recognised up to rounding
ROUNDING = 1e-4  # of numbers relative to the norm of their array


@dataclasses.dataclass(frozen=True)
class StoredRidge:
    """A layer's fit in a folder.

    Attributes:
        folder: where it is.
        units: of the layer.
        block: units per file.
    """

    folder: pathlib.Path
    units: int
    block: int

    @classmethod
    def open(cls, folder: str | pathlib.Path) -> "StoredRidge":
        """The fit that `fit_layer` has left in a folder.

        Raises:
            InputError: there is none, or it is not complete.
        """
        folder = place(folder)
        if not (folder / JSON).is_file():
            raise InputError(f"{folder} holds no {JSON}: give the folder of a `fit_layer`.")
        content = json.loads((folder / JSON).read_text())
        stored = cls(folder, content["units"], content["block"])
        if missing := [p.name for p in stored.files() if not p.is_file()]:
            raise InputError(
                f"{folder} lacks {len(missing)} files, the first {missing[0]}: it was not "
                "completed; call `fit_layer` again, which resumes it."
            )
        return stored

    @staticmethod
    def is_begun(folder: pathlib.Path) -> bool:
        """Whether `fit_layer` has begun a fit in a folder."""
        return (folder / JSON).is_file()

    def claim(self, identity: dict[str, Any]) -> None:
        """Writes what the fit is of, or checks that it is what the folder already holds."""
        path = self.folder / JSON
        if not path.exists():
            with replacing(path) as unfinished:
                unfinished.write_text(json.dumps(identity, indent=2))
            return
        known = json.loads(path.read_text())
        if changed := [name for name in identity if not _alike(known.get(name), identity, name)]:
            raise InputError(
                f"{self.folder} holds a fit with other {', '.join(changed)}: choose another folder "
                "or remove this one."
            )

    def spans(self) -> Iterator[tuple[int, int]]:
        """First and last unit (exclusive) of each block."""
        for start in range(0, self.units, self.block):
            yield start, min(start + self.block, self.units)

    def path(self, start: int) -> pathlib.Path:
        """The file of the block that begins at a unit."""
        return self.folder / f"units_{start:09d}.safetensors"

    def files(self) -> list[pathlib.Path]:
        """The files of a complete fit."""
        whole = self.folder / MAP
        return [whole] if whole.exists() else [self.path(start) for start, _ in self.spans()]

    def predict(self, X: Any, targets: Targets | None = None, out: Any = None) -> np.ndarray:
        """Predicts all units, block by block.

        Args:
            X: (n, voxels) responses in the units of `prepare`.
            targets: those of the fit, where it uses all voxels: predictions are sums of them.
            out: (n, units) array to write to, such as a memory map; None makes one.

        Raises:
            InputError: `targets` is missing.
        """
        X = np.asarray(X, np.float32)
        out = np.empty((len(X), self.units), np.float32) if out is None else out
        for start, stop in self.spans():
            out[:, start:stop] = predict(self.model(start, stop, targets), X)
        return out

    def in_memory(self, shape: tuple[int, ...], penalty: float) -> FittedRidge:
        """The fit of all units, where they have voxels of their own.

        Args:
            shape: of the units of one row.
            penalty: the one used.
        """
        models: Any = [self.model(start, stop) for start, stop in self.spans()]
        return FittedRidge(joined(models), shape, penalty)

    def model(
        self, start: int, stop: int, targets: Targets | None = None
    ) -> SparseLinearModel | StimulusModel:
        """The fit of a block of units; `targets` as in `predict`."""
        if not (self.folder / MAP).exists():
            arrays: dict[str, Any] = load_file(self.path(start))
            return SparseLinearModel(**arrays | {"indices": arrays["indices"].astype(np.int32)})
        if targets is None:
            raise InputError(
                f"{self.folder} holds a fit on all voxels, whose predictions are sums of training "
                "targets: give them as `targets`."
            )
        map_, more, standardise = self._map
        values = read(targets, more["shown"], start, stop)
        return all_voxels.model_of(map_, centre(values, more["repeats"], standardise))

    @functools.cached_property
    def _map(self) -> tuple[StimulusMap, dict[str, np.ndarray], bool]:
        arrays: dict[str, Any] = load_file(self.folder / MAP)
        more = {name: arrays.pop(name) for name in ("shown", "repeats")}
        known = json.loads((self.folder / JSON).read_text())
        return StimulusMap(**arrays), more, known["standardise"]


def _alike(known: Any, identity: dict[str, Any], name: str) -> bool:
    """Whether an entry is the one that the folder holds, but for rounding of what was measured."""
    if name not in MEASURED:
        return known == identity[name]
    same_form = isinstance(known, list) and len(known) == len(identity[name])
    return same_form and np.allclose(known, identity[name], rtol=0, atol=ROUNDING)


def save(path: pathlib.Path, arrays: dict[str, Any]) -> None:
    """Writes arrays; the file is complete or absent."""
    with replacing(path) as unfinished:
        save_file({name: np.asarray(a, order="C") for name, a in arrays.items()}, unfinished)
