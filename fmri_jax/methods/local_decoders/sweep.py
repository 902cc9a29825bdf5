"""Every comparison of the student report on the same folds, each shared step computed once.

A row is a `Config`. Rows that share decoders share their solutions, because all rows of a fold are
fitted to one training set. Each row leaves a workdir in the form that `fmri_jax.report` reads, so
that `fmri_jax.report.compare` makes the table, the paired tests over images and the page.
"""

import dataclasses
import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fmri_jax.data.preparation.folds import Fold
from fmri_jax.evaluation import baselines
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.results import ImageScores, Results
from fmri_jax.evaluation.scores import EvaluationConfig, score_images, summarise
from fmri_jax.files import replacing
from fmri_jax.methods.local_decoders.method import LocalReconstructor, fit, training_set
from fmri_jax.methods.local_decoders.options import Config

METRICS = ("pixel_correlation", "mse", "accuracy", "precision", "recall", "f1")


def rows() -> dict[str, Config]:
    """Name -> config of every row; the first is nilearn's example, which the others change."""
    first = Config(scales=(2,), decoder="omp", weights="equal")
    changes: dict[str, dict[str, Any]] = {
        "OMP, s = 2": {},
        "OMP, 1x1": {"scales": (1,)},
        "OMP, s = 3": {"scales": (3,)},
        "OMP, s = 5": {"scales": (5,)},
        "OMP, s = 2, learned weights": {"weights": "learned"},
        "OMP, s = 3, learned weights": {"scales": (3,), "weights": "learned"},
        "OMP, s = 5, learned weights": {"scales": (5,), "weights": "learned"},
        "OMP, s = 2, weights by element": {"weights": "element"},
        "OMP, s = 2, weights by pixel": {"weights": "pixel"},
        "Linear regression, s = 2": {"decoder": "linear"},
        "Bayesian ridge, s = 2": {"decoder": "bayesian_ridge"},
        "Ridge, s = 2": {"decoder": "ridge", "alpha": 100.0},
        "Best single voxel, s = 2": {"decoder": "univariate"},
        "Sparse logistic, s = 2": {"decoder": "sparse_logistic", "n_voxels": 50},
        "Receptive fields": {
            "decoder": "receptive_fields",
            "scales": (1,),
            "alpha": 300.0,
        },
        "Chosen on inner folds": {"select": "inner"},
    }
    return {name: dataclasses.replace(first, **change) for name, change in changes.items()}


# (better, worse) as the student report's tables have it, all by accuracy.
EXPECTED = (
    ("OMP, s = 2", "OMP, 1x1"),
    ("OMP, s = 3", "OMP, s = 2"),
    ("OMP, s = 3", "OMP, s = 5"),
    ("OMP, s = 2", "Linear regression, s = 2"),
    ("OMP, s = 2", "Bayesian ridge, s = 2"),
    ("OMP, s = 2", "Best single voxel, s = 2"),
    ("OMP, s = 2, learned weights", "OMP, s = 2"),
)


@dataclasses.dataclass
class Row:
    """What one config gave on all folds.

    Attributes:
        config: as it was asked for.
        reconstructions: (n, h, w, c) float32 in [0, 1], of all test trials in the order of folds.
        models: the fitted model of each fold.
        seconds: spent on this row; what an earlier row had computed already costs it nothing.
    """

    config: Config
    reconstructions: np.ndarray
    models: list[LocalReconstructor]
    seconds: float


@dataclasses.dataclass(frozen=True)
class Sweep:
    """All rows and what they share.

    Attributes:
        rows: name -> what the config gave.
        targets: (n, h, w, c) float32 in [0, 1].
        stimulus: (n,) int32.
        stimulus_names: one name an image.
        fold: (n,) str.
        baselines: name -> (n, h, w, c); all black, the mean training image, ridge to pixels, and
            the first row's decoders with shuffled voxels.
    """

    rows: dict[str, Row]
    targets: np.ndarray
    stimulus: np.ndarray
    stimulus_names: tuple[str, ...]
    fold: np.ndarray
    baselines: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class _FoldResult:
    """What all configs gave on one fold; keys are the names of rows or baselines."""

    models: dict[str, LocalReconstructor]
    reconstructions: dict[str, np.ndarray]
    seconds: dict[str, float]
    baselines: dict[str, np.ndarray]


def sweep(splits: Sequence[Fold], configs: Mapping[str, Config], seed: int = 0) -> Sweep:
    """Fits every config on every fold.

    Args:
        splits: the folds; what they call "test" is scored.
        configs: name -> config; the first one is the reference.
        seed: of the learned weights and of the shuffled voxels.
    """
    results = [_run_fold(number, fold, configs, seed) for number, fold in enumerate(splits)]
    tests = [fold.tests["test"] for fold in splits]
    targets = np.concatenate([test.targets() for test in tests])

    def joined(kind: str, name: str) -> np.ndarray:
        return np.concatenate([getattr(result, kind)[name] for result in results])

    return Sweep(
        rows={
            name: Row(
                config,
                joined("reconstructions", name),
                [result.models[name] for result in results],
                sum(result.seconds[name] for result in results),
            )
            for name, config in configs.items()
        },
        targets=targets,
        stimulus=np.concatenate([test.stimulus for test in tests]),
        stimulus_names=tests[0].stimulus_names,
        fold=np.concatenate(
            [np.full(len(test.fmri), fold.name) for fold, test in zip(splits, tests, strict=True)]
        ),
        baselines={"all_black": baselines.all_black(targets)}
        | {name: joined("baselines", name) for name in results[0].baselines},
    )


def _run_fold(number: int, fold: Fold, configs: Mapping[str, Config], seed: int) -> _FoldResult:
    key = jax.random.fold_in(jax.random.key(seed), number)
    training, test = training_set(fold.train), fold.tests["test"]
    result = _FoldResult({}, {}, {}, {})
    for name, config in configs.items():
        start = time.perf_counter()
        model = result.models[name] = fit(training, config, key)
        result.reconstructions[name] = np.asarray(model.reconstruct(test.fmri))
        result.seconds[name] = time.perf_counter() - start
    train, first = fold.train, result.models[next(iter(configs))]
    ridge = baselines.ridge(train.fmri, train.stimulus, train.images, average=fold.tests_averages())
    seen = train.images[np.unique(train.stimulus)]
    result.baselines["mean_image"] = baselines.mean_image(seen, len(test.fmri))
    result.baselines["ridge"] = ridge.reconstruct(test.fmri, test.gain)
    result.baselines["shuffled_fmri"] = baselines.shuffled_fmri(
        first.reconstruct, test.fmri, seed=seed + number
    )
    return result


def write_workdirs(
    done: Sweep, out: pathlib.Path, about: Mapping[str, Any]
) -> dict[str, pathlib.Path]:
    """Leaves a workdir for each row under `out/rows`.

    Args:
        done: the sweep.
        out: folder of the sweep.
        about: what `run.json` says of the data and the program; needs the key "data".

    Returns:
        Row name -> workdir, as `fmri_jax.report.compare` takes them.
    """
    options = EvaluationConfig(metrics=METRICS, perceptual=False)
    weaker = {
        name: {m: Score(s.value) for m, s in _scored(done, images, options)[0].items()}
        for name, images in done.baselines.items()
    }
    workdirs = {}
    for name, row in done.rows.items():
        folder = out / "rows" / "".join(c if c.isalnum() else "_" for c in name)
        folder.mkdir(parents=True, exist_ok=True)
        scores, per_image = _scored(done, row.reconstructions, options)
        _write_json(folder / "config.json", {"method": dataclasses.asdict(row.config)})
        phases = [{"name": "fit", "wall_s": row.seconds}]
        _write_json(folder / "run.json", {**about, "title": name, "phases": phases})
        results = Results({"test": scores}, weaker, per_image=tuple(per_image))
        _write_json(folder / "scores.json", results.to_json())
        _write_reconstructions(folder / "reconstructions.npz", done, row)
        workdirs[name] = folder
    return workdirs


def _scored(
    done: Sweep, images: np.ndarray, options: EvaluationConfig
) -> tuple[dict[str, Score], list[ImageScores]]:
    """Scores with intervals over stimuli, and those of each image."""
    result = score_images(done.targets, images, config=options)
    lines = [
        ImageScores(
            i,
            {name: float(values[i]) for name, values in result.values.items()},
            int(stimulus),
            done.stimulus_names[stimulus],
            "test",
            str(done.fold[i]),
        )
        for i, stimulus in enumerate(done.stimulus)
    ]
    return summarise(result, done.stimulus), lines


def _write_reconstructions(path: pathlib.Path, done: Sweep, row: Row) -> None:
    with replacing(path) as unfinished, unfinished.open("wb") as stream:
        np.savez_compressed(
            stream,
            targets=done.targets,
            reconstructions=row.reconstructions,
            baseline_ridge=done.baselines["ridge"],
            stimulus=done.stimulus,
            split=np.full(len(done.stimulus), "test"),
            fold=done.fold,
        )


def _write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
