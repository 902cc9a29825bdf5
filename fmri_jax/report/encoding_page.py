"""The page of encoding models: which layers predict which regions, and how far from the ceiling."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmri_jax.features.registry import NETWORKS
from fmri_jax.report.figures import encoding_charts
from fmri_jax.report.rendering import Chart, draw, render, write_file
from fmri_jax.report.text.text_format import count

READOUTS = {
    "banded_ridge": "banded ridge regression",
    "receptive_field": "Gaussian receptive fields and ridge regression",
    "separable": "a trained readout, separable in space and feature",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """What stands on the page.

    Attributes:
        content: of `encoding.json`.
        regions: name -> (voxels,) bool.
        correlation: model -> (voxels,).
        normalised: the same over the noise ceiling.
        explainable: (voxels,) share of variance that is signal; None where not known.
    """

    content: Mapping[str, Any]
    regions: Mapping[str, np.ndarray]
    correlation: Mapping[str, np.ndarray]
    normalised: Mapping[str, np.ndarray]
    explainable: np.ndarray | None


def write(path: pathlib.Path, shown: Shown) -> pathlib.Path:
    """Writes one self-contained page, and its figures into `figures` beside it.

    Args:
        path: of the page; its folder exists.
        shown: what stands on it.

    Returns:
        The path.
    """
    content = shown.content
    data = content["data"]
    units = "units" if data["spikes"] else "voxels"
    last = content["main"]
    values = {
        "title": content["title"],
        "data": data,
        "units": units,
        "lead": _lead(content, units),
        "headlines": _headlines(content, last, units),
        "remarks": _remarks(content, units),
        "charts": _charts(path.parent / "figures", shown, units),
        "models": content["models"],
        "main": content["main"],
        "rows": _rows(content),
        "best": _best(content),
        "weights": _weights(content),
        "normalised": content["normalised"],
        "facts": _facts(content),
        "identification": _identification(content),
    }
    return write_file(path, render("encoding.html", values))


def _lead(content: Mapping[str, Any], units: str) -> str:
    options, data = content["options"], content["data"]
    what = "Simulated responses" if data["simulated"] else "Recorded responses"
    if data["spikes"]:
        what = f"{'Simulated' if data['simulated'] else 'Recorded'} spikes, not fMRI: {units}"
    source, readout = _label(options["features"]), READOUTS[options["readout"]]
    stimuli, groups = content["stimuli"], content.get("units", content["stimuli"])
    apart = "" if groups == stimuli else f" They form {count(groups, 'independent group')}."
    return (
        f"{what} predicted from {source} by {readout}, on {stimuli:,} stimuli that were left out."
        + apart
    )


def _label(features: str) -> str:
    """A network's name for people; "Gabor energy" and "pixels" are no networks."""
    if features in NETWORKS:
        return NETWORKS[features].label
    return {"gabor": "Gabor energy"}.get(features, features)


def _headlines(content: Mapping[str, Any], last: str, units: str) -> list[tuple[str, str, str]]:
    """The large figures: label, value and interval."""
    name, region = next(iter(content["regions"].items()))
    score = region["models"][last]
    kind = "Normalised correlation" if content["normalised"] else "Correlation"
    found = [
        (f"{kind}, {last}, median of {name}", *_texts(score["normalised"])),
        (f"{units.capitalize()} predicted", f"{100 * score['predicted']:.0f} %", ""),
    ]
    if content["normalised"]:
        found.append(("Explainable variance, median", f"{100 * region['explainable']:.0f} %", ""))
    if region["best"]:
        found.append((f"Best layer, {name}", region["best"]["layer"], ""))
    return found


def _remarks(content: Mapping[str, Any], units: str) -> list[str]:
    data, found = content["data"], list(content.get("doubts", ()))
    if data["simulated"]:
        found.append(
            "The responses are simulated, its early areas by Gabor filters and its higher ones by "
            "AlexNet: how well these features predict it says nothing about a brain."
        )
    if data["spikes"]:
        found.append("These are spikes of neurons, not fMRI: units stand for voxels.")
    if not content["normalised"]:
        found.append(
            "No stimulus that was tested is repeated in the recording: the noise ceiling is not "
            "known, and correlations are not normalised. What they lack may be noise."
        )
    else:
        first = next(iter(content["regions"].values()))
        left_out = first["voxels"] - first["counted"]
        found.append(
            f"{left_out:,} of {first['voxels']:,} {units} have less than 10 % explainable variance "
            "and do not count in medians of normalised correlations."
        )
    return found


def _charts(folder: pathlib.Path, shown: Shown, units: str) -> dict[str, Chart]:
    content = shown.content
    mark = "Simulated data" if content["data"]["simulated"] else ""
    folder.mkdir(exist_ok=True)
    last = shown.correlation[content["main"]]
    ceiling = None if shown.explainable is None else np.sqrt(shown.explainable)
    found = {
        "matrix": draw(
            folder / "matrix.png",
            "Matrix of correlations by region and layer; the table below has its numbers",
            lambda theme: encoding_charts.matrix(content, theme),
            mark,
        ),
        "histograms": draw(
            folder / "histograms.png",
            f"Histograms of {units} by correlation, one for each region",
            lambda theme: encoding_charts.histograms(shown.regions, last, ceiling, units, theme),
            mark,
        ),
    }
    if ceiling is not None:
        known = ceiling
        found["ceiling"] = draw(
            folder / "ceiling.png",
            f"Correlation of each of the {units} over its noise ceiling",
            lambda theme: encoding_charts.against_ceiling(last, known, theme),
            mark,
        )
    return found


def _rows(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The table of regions: counts, ceiling, and the score of each model with its interval."""
    return [
        {
            "name": name,
            "voxels": f"{region['voxels']:,}",
            "counted": f"{region['counted']:,}",
            "explainable": _percent(region["explainable"]),
            "scores": [_texts(score["normalised"]) for score in region["models"].values()],
        }
        for name, region in content["regions"].items()
    ]


def _best(content: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Region, best layer, second, difference and its interval."""
    found = []
    for name, region in content["regions"].items():
        if best := region["best"]:
            value, interval = _texts(best["ahead"])
            found.append((name, best["layer"], best["second"], value, interval))
    return found


def _weights(content: Mapping[str, Any]) -> dict[str, Any]:
    """Layers, and each region's mean weights of them."""
    regions = content["regions"]
    layers = list(next(iter(regions.values()))["weights"])
    rows = [
        (name, [_percent(region["weights"][layer]) for layer in layers])
        for name, region in regions.items()
    ]
    return {"layers": layers, "rows": rows if len(layers) > 1 else []}


def _identification(content: Mapping[str, Any]) -> dict[str, Any]:
    """The number of photographs, and of each question score, interval, control and chance."""
    found = content.get("identification")
    if not found:
        return {}
    nothing = {"value": None, "low": None, "high": None}
    rows = [
        (
            f"{k} most likely" if k > 1 else "most likely",
            _texts(found[f"top_{k}"], 100, " %"),
            _texts(found.get(f"top_{k}_by_wrong", nothing), 100, " %"),
            f"{100 * found[f'chance_top_{k}']:.2g} %",
        )
        for k in (1, 10)
    ]
    above = f"{found['median_above']:,.0f}"
    return {"photographs": f"{found['photographs']:,}", "rows": rows, "above": above}


_NAMES = {
    "grid": "Cells across and down",
    "n_candidates": "Random weights of layers",
    "n_folds": "Folds within training",
    "n_steps": "Most steps",
    "rank": "Factors of the noise",
}
_OWN = {  # options that one readout alone has
    "n_candidates": "banded_ridge",
    "n_steps": "separable",
    "learning_rate": "separable",
    "sparsity": "separable",
}


def _facts(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    data, options, preparation = content["data"], content["options"], content["preparation"]
    readout = options["readout"]
    facts = {
        "Recording": data["name"],
        "Description": data["description"],
        "Origin": "simulated, no brain was scanned" if data["simulated"] else "recorded",
        "Region": preparation["roi"],
        "Left out": preparation["split"],
        "Folds": preparation["n_folds"],
        "Transform of responses": preparation["transform"],
        "Other photographs": content["bank"]["names"] if "bank" in content else None,
        "Trials per tested average": f"{content['repeats']:.3g}",
        **{
            _NAMES.get(name, name.replace("_", " ").capitalize()): value
            for name, value in options.items()
            if _OWN.get(name, readout) == readout
        },
        "Readout": READOUTS[readout],
        "Fingerprint": data["fingerprint"],
        "fmri_jax": content["version"],
    }
    return [(name, _words(value)) for name, value in facts.items() if value not in (None, "")]


def _words(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _texts(score: Mapping[str, Any], factor: float = 1, unit: str = "") -> tuple[str, str]:
    """A score and its interval in print."""
    form = ".3f" if factor == 1 else ".1f"
    value, low, high = (score[name] for name in ("value", "low", "high"))
    text = "–" if value is None else f"{factor * value:{form}}{unit}"
    known = low is not None and high is not None
    return text, f"{factor * low:{form}} – {factor * high:{form}}" if known else ""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
