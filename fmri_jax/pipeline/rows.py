"""The rows of a run: target images beside what the method and its baselines made of each trial."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from absl import logging

from fmri_jax.archives import CorruptError, read_npz
from fmri_jax.data.recording import ordered_sets
from fmri_jax.errors import InputError, one_line
from fmri_jax.evaluation.baselines import BASELINES
from fmri_jax.files import replacing, set_aside

METHOD = "reconstructions"  # the method's own images among the predictions of baselines
# Before the name of each, in a fold's file.
_PREDICTION, _VS_TRAIN, _BESIDE = "prediction.", "vs_train.", "beside."
# Predictions in the files of earlier versions, in the order of the columns of their `vs_train`.
_EARLIER = {METHOD: METHOD, "ridge": "ridge", "mean_image": "mean_image"} | {
    "shuffled": "shuffled_fmri"
}


@dataclasses.dataclass(frozen=True)
class Rows:
    """Target images and predictions, one row per scored trial.

    Attributes:
        targets: (n, h, w, c) float32 in [0, 1].
        predictions: of the same shape, by the name of a baseline, the method's under `METHOD`.
        vs_train: name as in `predictions` -> (n, 2), of the row's own image among the training
            images of its fold: how often it correlates more with the prediction than every one of
            them, and than any one.
        stimulus: (n,) int32.
        split: (n,) str, "test", "train" or another test set.
        fold: (n,) str.
        beside: label -> images (n, h, w, c) in [0, 1] that are shown beside the method's and not
            scored, such as several samples.
    """

    targets: np.ndarray
    predictions: dict[str, np.ndarray]
    vs_train: dict[str, np.ndarray]
    stimulus: np.ndarray
    split: np.ndarray
    fold: np.ndarray
    beside: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def reconstructions(self) -> np.ndarray:
        """What the method made, (n, h, w, c)."""
        return self.predictions[METHOD]

    def take(self, keep: np.ndarray) -> "Rows":
        """The rows that `keep` selects: (n,) bool, or indices in any order."""
        return _rows({name: array[keep] for name, array in _arrays(self).items()})

    def test_sets(self) -> list[str]:
        """The names in `split`: "test" first, other test sets, the training sample last."""
        return sorted(ordered_sets(self.split.tolist()), key=lambda name: name == "train")

    def main_test_set(self) -> "Rows":
        """The rows of the test set that comes first."""
        return self.take(self.split == self.test_sets()[0])


def concatenate(parts: Sequence[Rows]) -> Rows:
    """Rows of several folds or test sets as one, with the predictions that all of them have."""
    several = [_arrays(part) for part in parts]
    shared = [name for name in several[0] if all(name in arrays for arrays in several)]
    return _rows({name: np.concatenate([arrays[name] for arrays in several]) for name in shared})


def write(path: pathlib.Path, rows: Rows) -> None:
    """Writes the rows of a finished fold."""
    path.parent.mkdir(exist_ok=True)
    _save(path, _arrays(rows))


def read(path: pathlib.Path, fold: str) -> Rows | None:
    """Reads the rows of the finished fold called `fold`, of this version or an earlier one.

    Returns:
        The rows; None where there are none, or the file is corrupt: it is then set aside.

    Raises:
        InputError: the file holds another fold.
    """
    if not path.exists():
        return None
    try:
        rows = _rows(_upgraded(read_npz(path)))
    except (CorruptError, KeyError, IndexError) as error:
        place = set_aside(path)
        logging.warning(
            "%s is corrupt (%s): set aside as %s; the fold is computed again.",
            path,
            one_line(error),
            place.name,
        )
        return None
    found = np.unique(rows.fold).tolist()
    if found != [fold]:
        raise InputError(
            f"{path} holds fold {', '.join(map(repr, found)) or 'of no name'}: expected fold "
            f"{fold!r} of this run; delete the file and the fold is computed again."
        )
    return rows


def write_reconstructions(
    path: pathlib.Path, rows: Rows, more: Mapping[str, np.ndarray] | None = None
) -> None:
    """Writes `reconstructions.npz`: the images that the report shows, and what they are of.

    Args:
        path: of the file.
        rows: of the run.
        more: arrays that stand beside these.
    """
    arrays = {name: _arrays(rows)[name] for name in ("targets", "stimulus", "split", "fold")}
    arrays[METHOD] = rows.reconstructions
    for name, baseline in BASELINES.items():
        if baseline.pictured and name in rows.predictions:
            arrays[f"baseline_{name}"] = rows.predictions[name]
    arrays |= {f"beside_{label}": images for label, images in rows.beside.items()}
    _save(path, {**arrays, **(more or {})})


def _save(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    with replacing(path) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def _arrays(rows: Rows) -> dict[str, np.ndarray]:
    """Every array by one name, as a file holds it."""
    return {
        **{name: getattr(rows, name) for name in ("targets", "stimulus", "split", "fold")},
        **{_PREDICTION + name: images for name, images in rows.predictions.items()},
        **{_VS_TRAIN + name: ranks for name, ranks in rows.vs_train.items()},
        **{_BESIDE + label: images for label, images in rows.beside.items()},
    }


def _rows(arrays: Mapping[str, np.ndarray]) -> Rows:
    """The rows of such arrays."""

    def under(prefix: str) -> dict[str, np.ndarray]:
        return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}

    plain = {name: arrays[name] for name in ("targets", "stimulus", "split", "fold")}
    predictions, ranks, beside = map(under, (_PREDICTION, _VS_TRAIN, _BESIDE))
    return Rows(predictions=predictions, vs_train=ranks, beside=beside, **plain)


def _upgraded(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a file; where an earlier version wrote it, under the names of this one."""
    if METHOD not in arrays:
        return arrays
    columns = arrays.pop("vs_train")  # (n, predictions, 2)
    for place, (earlier, name) in enumerate(_EARLIER.items()):
        arrays[_PREDICTION + name] = arrays.pop(earlier)
        arrays[_VS_TRAIN + name] = columns[:, place]
    return arrays
