"""What cross-validated encoding models scored: `encoding.json`, `voxels.csv` and the page."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fmri_jax.data.recording import Recording
from fmri_jax.encoding.identification import Placed
from fmri_jax.evaluation import encoding_scores
from fmri_jax.evaluation.encoding_scores import Predictions
from fmri_jax.evaluation.intervals import mean_interval
from fmri_jax.pipeline.json_files import write_json
from fmri_jax.report import encoding_page
from fmri_jax.report.rendering import write_file
from fmri_jax.report.text.text_format import csv_cell

FORMAT = 1
EVERYWHERE = "all"  # the region of all chosen voxels
ALL = "all layers"  # the model of all of them
SHUFFLED = "shuffled images"  # the baseline: the main model's predictions of other stimuli
_MOST_REGIONS = 40  # beyond that a matrix is no longer read; the largest are kept


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """What all folds predicted.

    Attributes:
        predictions: of the left-out stimuli.
        voxels: (voxels of the recording,) bool, those that were predicted.
        weights: layer -> (voxels,) its weight in the model of all layers; none without weights.
        repeats: trials that a tested row averages, on average.
        placed: where the own images stand among other photographs: "above", and "above_by_wrong" by
            the responses of another stimulus; none where it was not asked for.
    """

    predictions: Predictions
    voxels: np.ndarray
    weights: Mapping[str, np.ndarray]
    repeats: float
    placed: Mapping[str, Placed] = dataclasses.field(default_factory=dict)


def write(
    workdir: pathlib.Path,
    found: Found,
    recording: Recording,
    about: Mapping[str, Any],
    n_bootstrap: int,
) -> pathlib.Path:
    """Scores, writes the files, and returns the path of the page.

    Args:
        workdir: their folder.
        found: what was predicted.
        recording: names the regions.
        about: what `encoding.json` says of recording and options.
        n_bootstrap: resamples for intervals.
    """
    regions = _regions(recording, found.voxels)
    correlation = encoding_scores.correlations(found.predictions)
    scores = _scores(found, regions, correlation, n_bootstrap)
    content = {"format": FORMAT, **about, **scores}
    write_json(workdir / "encoding.json", content)
    write_file(workdir / "voxels.csv", _table(found, regions, correlation))
    ratio = {
        model: encoding_scores.normalised(values, found.predictions)
        for model, values in correlation.items()
    }
    shown = encoding_page.Shown(content, regions, correlation, ratio, found.predictions.explainable)
    return encoding_page.write(workdir / "report.html", shown)


def _regions(recording: Recording, voxels: np.ndarray) -> dict[str, np.ndarray]:
    """Name -> (chosen voxels,) bool; all of them first, then the recording's regions."""
    own = {name: mask[voxels] for name, mask in recording.rois.items() if mask[voxels].any()}
    largest = sorted(own, key=lambda name: -int(own[name].sum()))[:_MOST_REGIONS]
    kept = {name: mask for name, mask in own.items() if name in largest}
    everywhere = np.ones(int(voxels.sum()), bool)
    if len(kept) == 1 and next(iter(kept.values())).all():
        return kept
    return {EVERYWHERE: everywhere, **kept}


def _scores(
    found: Found,
    regions: Mapping[str, np.ndarray],
    correlation: Mapping[str, np.ndarray],
    n_bootstrap: int,
) -> dict[str, Any]:
    """The scores as plain JSON values."""
    predictions = found.predictions
    n_units = predictions.n_units
    values = encoding_scores.medians(predictions, regions, n_bootstrap)
    layers = _layers(correlation)
    above = {
        model: encoding_scores.predicted_voxels(r, n_units) for model, r in correlation.items()
    }

    def of_region(name: str, mask: np.ndarray) -> dict[str, Any]:
        counted = mask & predictions.counted
        models = {
            model: {
                "normalised": encoding_scores.as_json(
                    encoding_scores.interval(values[name][model], n_units)
                ),
                "correlation": float(np.median(correlation[model][mask])),
                "predicted": float(above[model][mask].mean()),
            }
            for model in correlation
        }
        return {
            "voxels": int(mask.sum()),
            "counted": int(counted.sum()),
            "explainable": None
            if predictions.explainable is None
            else float(np.median(predictions.explainable[mask])),
            "models": models,
            "best": _best(values[name], layers, n_units),
            "weights": {layer: float(w[mask].mean()) for layer, w in found.weights.items()},
        }

    return {
        "models": list(correlation),
        "main": ALL if ALL in correlation else layers[0],
        "normalised": predictions.explainable is not None,
        "stimuli": len(np.unique(predictions.stimulus)),
        "units": n_units,
        "repeats": found.repeats,
        "identification": _identification(found),
        "regions": {name: of_region(name, mask) for name, mask in regions.items()},
    }


def _identification(found: Found) -> dict[str, Any] | None:
    """Shares of stimuli that are among the most likely photographs; None where not asked for."""
    if "above" not in found.placed:
        return None
    placed = found.placed["above"]
    scores: dict[str, Any] = {"photographs": placed.candidates}
    for k in (1, 10):
        for name, each in found.placed.items():
            key = f"top_{k}" + name.removeprefix("above")
            score = mean_interval(each.within(k), found.predictions.units).within((0, 1))
            scores[key] = encoding_scores.as_json(score)
        scores[f"chance_top_{k}"] = placed.chance(k)
    scores["median_above"] = float(np.median(placed.above))
    return scores


def _layers(models: Iterable[str]) -> list[str]:
    return [model for model in models if model not in (ALL, SHUFFLED)]


def _best(
    of_region: Mapping[str, np.ndarray], layers: list[str], n_units: int
) -> dict[str, Any] | None:
    """The best layer, and by how much it is ahead of the second, paired over units."""
    pair = encoding_scores.best_two(of_region, layers)
    if pair is None:
        return None
    ahead = encoding_scores.interval(of_region[pair[0]] - of_region[pair[1]], n_units)
    return {"layer": pair[0], "second": pair[1], "ahead": encoding_scores.as_json(ahead)}


def _table(
    found: Found,
    regions: Mapping[str, np.ndarray],
    correlation: Mapping[str, np.ndarray],
) -> str:
    """One line per voxel."""
    predictions = found.predictions
    layers = _layers(correlation)
    best = np.argmax([correlation[layer] for layer in layers], axis=0)
    heads = ["voxel", "regions", "explainable", "ceiling", "counted", "best_layer"]
    heads += [f"correlation {model}" for model in correlation]
    heads += [f"normalised {model}" for model in correlation]
    heads += [f"weight {layer}" for layer in found.weights]
    columns = [
        *correlation.values(),
        *(encoding_scores.normalised(r, predictions) for r in correlation.values()),
        *found.weights.values(),
    ]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(heads)
    known = predictions.explainable
    for row, voxel in enumerate(np.flatnonzero(found.voxels)):
        inside = [name for name, mask in regions.items() if mask[row] and name != EVERYWHERE]
        noise = ["", ""] if known is None else [known[row], predictions.ceiling[row]]
        counted = int(predictions.counted[row])
        numbers = [*noise, counted, layers[best[row]], *(column[row] for column in columns)]
        writer.writerow([voxel, csv_cell(";".join(inside)), *map(_text, numbers)])
    return file.getvalue()


def _text(value: Any) -> str:
    """A number of five digits, nothing where it is nan; words as they are."""
    if isinstance(value, (str, int)):
        return csv_cell(value) if isinstance(value, str) else str(value)
    return f"{value:.5g}" if np.isfinite(value) else ""
