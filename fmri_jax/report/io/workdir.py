"""What a run left in its workdir, read and checked."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from fmri_jax import digests
from fmri_jax.archives import CorruptError, read_npz
from fmri_jax.data import modality
from fmri_jax.data.recording import IMAGERY, ordered_sets
from fmri_jax.errors import InputError
from fmri_jax.evaluation import results
from fmri_jax.report.io import record
from fmri_jax.report.modality_words import Words
from fmri_jax.training import logs

# The files that a page is made of.
READ = ("config.json", "run.json", "scores.json", "reconstructions.npz", "metrics.jsonl")
_BASELINE = "baseline_"  # before the name of a baseline whose images were kept
_BESIDE = "beside_"  # before the label of images that are shown and not scored
# A curve is the steps and values of one metric in one fold.
Curve = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Workdir:
    """The files of one finished run.

    Attributes:
        path: the folder.
        config: the resolved config, as nested dicts.
        run: `run.json`: versions, devices, data, phases, method, experiment, title, text.
        curves: metric -> fold -> steps and values; empty for a method that solves in closed form.
        targets: (n, h, w, c) float32 in [0, 1], the images that were shown.
        reconstructions: (n, h, w, c) float32 in [0, 1].
        baselines: name -> (n, h, w, c) float32, those whose images were kept; a row of NaN was not
            computed.
        stimulus: (n,) int, which image.
        split: (n,) str, 'train', 'test' or another test set.
        fold: (n,) str, the cross-validation fold.
        scores: the checked `scores.json`.
        recovered: (m, h, w, c) float32, what the method's renderer makes of true features.
        recovered_stimulus: (m,) int, of which images.
        beside: label -> (n, h, w, c) float32, shown beside the reconstructions and not scored.
    """

    path: pathlib.Path
    config: dict[str, Any]
    run: dict[str, Any]
    curves: dict[str, dict[str, Curve]]
    targets: np.ndarray
    reconstructions: np.ndarray
    baselines: dict[str, np.ndarray]
    stimulus: np.ndarray
    split: np.ndarray
    fold: np.ndarray
    scores: results.Results
    recovered: np.ndarray = dataclasses.field(default_factory=lambda: np.empty((0, 0, 0, 0)))
    recovered_stimulus: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, int))
    beside: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether the fMRI was simulated."""
        return bool(self.data.get("simulated"))

    @property
    def words(self) -> Words | None:
        """A text of this package -> the same in the words of what was recorded; None: fMRI."""
        return modality.words(self.data.get("modality"))

    @property
    def data(self) -> dict[str, Any]:
        """What `run.json` says about the data."""
        return self.run["data"]

    @property
    def preparation(self) -> Mapping[str, Any]:
        """How the trials were split and prepared; empty where the config does not say."""
        found = self.config.get("preparation")
        if not isinstance(found, Mapping):
            return {}
        # Versions before 0.2 wrote 0 for what is left open.
        return {
            option: None if value == 0 and value is not False else value
            for option, value in found.items()
        }

    @property
    def title(self) -> str:
        """The title of the run."""
        return str(self.run.get("title") or self.run.get("experiment") or self.path.name)

    @property
    def binary(self) -> bool:
        """Whether the target images hold only black and white pixels."""
        return self.targets.shape[-1] == 1 and bool(np.isin(self.targets, (0.0, 1.0)).all())

    @property
    def test_sets(self) -> list[str]:
        """'test' first, then the other test sets in the order of their rows."""
        return _test_sets(self.split)

    @property
    def seen_sets(self) -> list[str]:
        """The test sets of images that were seen: all but imagery, unless nothing else is there."""
        return [name for name in self.test_sets if name not in self.imagined_sets]

    @property
    def imagined_sets(self) -> list[str]:
        """Imagery, which is shown apart; empty where it is the main test set."""
        return [name for name in self.test_sets[1:] if name == IMAGERY]

    @property
    def main(self) -> str:
        """The name of the main test set: 'test', or the first where none is called so."""
        return self.test_sets[0]

    @property
    def fold_names(self) -> list[str]:
        """The folds in the order in which they were run."""
        return list(dict.fromkeys(self.fold.tolist()))

    def rows(self, split: str) -> np.ndarray:
        """Indices of the rows of one test set, or of the training images that were kept."""
        return np.flatnonzero(self.split == split)

    @functools.cached_property
    def names(self) -> list[str]:
        """A name for each row's stimulus."""
        names = [f"image {index}" for index in self.stimulus]
        for row in self.scores.per_image:
            names[row.index] = row.stimulus_name or names[row.index]
        return names

    @functools.cached_property
    def pixel_correlation(self) -> np.ndarray:
        """(n,) for each row: the run's score, or computed here for a row that was not scored."""
        values = self.scores.column("pixel_correlation", len(self.split))
        missing = np.flatnonzero(~np.isfinite(values))
        shape = len(missing), self.targets[0].size
        x = self.targets[missing].reshape(shape).astype(float)
        y = self.reconstructions[missing].reshape(shape).astype(float)
        x -= x.mean(axis=1, keepdims=True)
        y -= y.mean(axis=1, keepdims=True)
        norms = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
        values[missing] = (x * y).sum(axis=1) / np.maximum(norms, 1e-30)  # a constant image: 0
        return values


def read(path: pathlib.Path) -> Workdir:
    """Reads and checks the files that the report needs.

    Raises:
        InputError: the folder or a file is missing, or does not hold what it should.
    """
    if not path.is_dir():
        raise InputError(f"{path} is not a folder: give the workdir of a finished run.")
    _check_digests(path, READ)
    config = _json_object(path / "config.json")
    run = _json_object(path / "run.json")
    if not isinstance(run.get("data"), dict):
        raise InputError(
            f"{path / 'run.json'} has no object under 'data': expected the name, description, "
            "simulated, trials, voxels and rois of the data; run the experiment again."
        )
    if isinstance(run.get("figures"), dict):
        figures = [f"figures/{name}.png" for name in run["figures"]]
        _check_digests(path, [name for name in figures if (path / name).exists()])
    run = record.cleaned(run)
    arrays = _arrays(path / "reconstructions.npz")
    scores = results.parse(
        _json(path / "scores.json"),
        len(arrays["targets"]),
        str(path / "scores.json"),
        _test_sets(arrays["split"])[0],
    )
    curves = read_curves(path / "metrics.jsonl")
    return Workdir(path=path, config=config, run=run, curves=curves, scores=scores, **arrays)


def _check_digests(path: pathlib.Path, names: Collection[str]) -> None:
    if found := digests.damaged(path, names):
        raise InputError(
            f"{path / found[0]} is not as the run wrote it: the command of the run writes it "
            f"again; if it was changed on purpose, delete {digests.SUMS} there."
        )


def _json(path: pathlib.Path) -> Any:
    """The content of a JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist: the run has not finished, or this is not its workdir."
        ) from None
    except (ValueError, RecursionError) as error:  # ValueError: neither JSON nor text
        raise InputError(f"{path} is not JSON ({error}): let the run write it again.") from None


def _json_object(path: pathlib.Path) -> dict[str, Any]:
    """The content of a JSON file that holds one object."""
    content = _json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}: expected one JSON object.")
    return content


def _arrays(path: pathlib.Path) -> dict[str, Any]:
    """The checked arrays of `reconstructions.npz`, by attribute of `Workdir`."""
    try:
        found = read_npz(path)
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist: the run has not finished, or this is not its workdir."
        ) from None
    except CorruptError as error:
        raise InputError(f"{path} cannot be read ({error}): let the run write it again.") from None
    for key in ("targets", "reconstructions", "stimulus", "split"):
        if key not in found:
            raise InputError(f"{path} has no array {key!r}: it holds {', '.join(sorted(found))}.")
    targets = found["targets"]
    if targets.ndim != 4 or targets.shape[-1] not in (1, 3):
        raise InputError(
            f"{path}: targets has shape {targets.shape}: expected (n, height, width, 1 or 3)."
        )
    n = len(targets)
    kept = [key for key in found if key.startswith(_BASELINE)]
    shown = [key for key in found if key.startswith(_BESIDE)]
    for key, shape in {
        "reconstructions": targets.shape,
        **dict.fromkeys([*kept, *shown], targets.shape),
        "stimulus": (n,),
        "split": (n,),
        "fold": (n,),
    }.items():
        if key in found and found[key].shape != shape:
            raise InputError(f"{path}: {key} has shape {found[key].shape}: expected {shape}.")
    split = _text(found["split"], f"{path}: split")
    if not _test_sets(split):
        raise InputError(
            f"{path}: split names no test set: expected a row other than 'train'; let the run "
            "write it again."
        )
    for key in ("targets", "reconstructions"):
        _check_range(found[key], f"{path}: {key}")
    recovered = {key: found[key] for key in ("recovered", "recovered_stimulus") if key in found}
    return recovered | {
        "targets": targets,
        "reconstructions": found["reconstructions"],
        "baselines": {key.removeprefix(_BASELINE): found[key] for key in kept},
        "beside": {key.removeprefix(_BESIDE): found[key] for key in shown},
        "stimulus": found["stimulus"],
        "split": split,
        "fold": _text(found.get("fold", np.full(n, "all")), f"{path}: fold"),
    }


def _text(names: np.ndarray, where: str) -> np.ndarray:
    try:
        return names.astype(str)
    except UnicodeError:
        raise InputError(f"{where} is not text: let the run write it again.") from None


def _test_sets(split: np.ndarray) -> list[str]:
    """The test sets that `split` (n,) names, in the order in which a run scores them."""
    return [name for name in ordered_sets(split.tolist()) if name != "train"]


def _check_range(images: np.ndarray, where: str) -> None:
    """Rejects images that are not finite or not in [0, 1], rounding apart."""
    if not np.isfinite(images).all():
        raise InputError(f"{where} has values that are not finite: expected numbers in [0, 1].")
    low, high = float(images.min()), float(images.max())
    if low < -1e-3 or high > 1 + 1e-3:
        raise InputError(f"{where} ranges from {low:g} to {high:g}: expected values in [0, 1].")


def read_curves(path: pathlib.Path) -> dict[str, dict[str, Curve]]:
    """Metric -> fold -> curve. A step that a resumed run logged again counts once, the later."""
    if not path.exists():
        return {}
    values: dict[str, dict[str, dict[int, float]]] = {}
    content = path.read_bytes()
    lines = content.splitlines()
    for number, line in enumerate(lines, start=1):
        entry = logs.parse(line)
        if entry is None:
            if number == len(lines) and not content.endswith(b"\n"):
                break  # the process was killed while it wrote this line
            raise InputError(
                f"{path}, line {number} is {line[:60].decode('utf-8', 'replace')!r}: expected a "
                "JSON object with a step, as it was written; the command of the run drops such "
                "lines and writes the page again."
            )
        step, fold = entry.pop("step"), entry.pop("fold")
        for metric, value in entry.items():
            if isinstance(value, (int, float)):
                values.setdefault(metric, {}).setdefault(fold, {})[step] = float(value)
    return {
        metric: {fold: _sorted_curve(steps) for fold, steps in folds.items()}
        for metric, folds in values.items()
    }


def _sorted_curve(steps: dict[int, float]) -> Curve:
    """Steps and values in the order of the steps."""
    order = sorted(steps)
    return np.array(order), np.array([steps[step] for step in order])
