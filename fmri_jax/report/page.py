"""`report.html` and `figures/` of one run."""

import functools
import json
import pathlib
import shlex
from collections.abc import Callable
from typing import Any

from fmri_jax.evaluation import baselines, registry
from fmri_jax.report import eight_numbers, features, tables
from fmri_jax.report.figures import charts, curves, montage, pictures
from fmri_jax.report.figures.theme import LIGHT, Theme, png
from fmri_jax.report.io.workdir import Workdir, read
from fmri_jax.report.rendering import Chart, data_address, draw, render, write_file
from fmri_jax.report.text import baseline_text, summary_text, text_format

# Scores for the large figures at the head of the page, as far as the run has them.
_HEADLINES = ("pixel_correlation", "identification_2way", "f1", "ssim", "alexnet5", "lpips")
_N_HEADLINES = 4


def write_page(path: pathlib.Path) -> pathlib.Path:
    """Writes `report.html` and `figures/*.png` into the workdir and returns the page's path."""
    run = read(path)
    (path / "figures").mkdir(exist_ok=True)
    write_file(path / "figures" / "reconstructions.png", png(montage.of_run(run, LIGHT), run.words))
    values = context(run, _charts(run)) | features.sections(run, _mark(run))
    page = render("page.html", values, run.words)
    return write_file(path / "report.html", page)


def context(run: Workdir, drawn: dict[str, Chart]) -> dict[str, Any]:
    """Everything that the template shows."""
    return {
        "run": run,
        "title": run.title,
        "summary": summary_text.summary(run),
        "remarks": summary_text.remarks(run),
        "headlines": _headlines(run),
        "highlights": pictures.highlights(run),
        "galleries": pictures.galleries(run),
        "pixelated": max(run.targets.shape[1:3]) <= 32,
        "scores": tables.against_baselines(run.scores),
        "sets": tables.by_set(run.scores, leave_out=run.imagined_sets),
        "eight_numbers": eight_numbers.table(run.scores),
        "not_computed": eight_numbers.missing(run.scores),
        "charts": drawn,
        "learned": _learned(run.run.get("learned")),
        "learned_figures": _learned_figures(run),
        "data": _data(run),
        "rois": _rois(run.data.get("rois")),
        "phases": _phases(run.run.get("phases") or []),
        "software": _software(run),
        "config": json.dumps(run.config, indent=2, ensure_ascii=False, default=str),
        "commands": _commands(run),
    }


def _charts(run: Workdir) -> dict[str, Chart]:
    """The figures of the page by name; those without data are left out."""
    alts = {
        "scores": "Bars of each test score, with its 95 % interval if it has one, beside the "
        "baselines and chance; the same numbers stand in the table above."
    }
    if any(metric in row.scores for row in run.scores.per_image for metric in charts.PER_IMAGE):
        alts["images"] = (
            "Each image as a dot: pixel correlation and 2-way identification of every test set, "
            "with medians, baselines and chance as lines."
        )
    if len(run.fold_names) > 1 and charts.by_fold(run, "pixel_correlation"):
        alts["folds"] = "Pixel correlation of the test images in each fold, best fold first."
    if found := curves.shown(run.curves):
        alts["curves"] = "Training curves: " + ", ".join(map(curves.title, found))
    drawers: dict[str, Callable[[Workdir, Theme], Any]] = {
        "scores": charts.score_bars,
        "images": charts.distributions,
        "folds": charts.folds,
        "curves": curves.training_curves,
    }
    folder, mark = run.path / "figures", _mark(run)
    return {
        name: draw(
            folder / f"{name}.png", alt, functools.partial(drawers[name], run), mark, run.words
        )
        for name, alt in alts.items()
    }


def _mark(run: Workdir) -> str:
    """What each figure says in a corner, for wherever it is copied to."""
    return "Simulated data" if run.simulated else ""


def _headlines(run: Workdir) -> list[dict[str, Any]]:
    """The large figures: value, interval, and what baselines and chance score."""
    found = []
    wanted = [run.scores.identification if m == "identification_2way" else m for m in _HEADLINES]
    for metric in [m for m in wanted if m in run.scores.test][:_N_HEADLINES]:
        name, shown = registry.metric(metric), tables.cell(metric, run.scores.test[metric])
        beside = [
            f"{baselines.baseline(baseline).label} {name.text(known.value)}"
            for baseline in baseline_text.named(run)
            if (known := run.scores.baselines[baseline].get(metric))
        ]
        if metric in run.scores.chance:
            beside.append(f"chance {name.text(run.scores.chance[metric])}")
        found.append(
            {
                "label": f"{name.label} {name.arrow}",
                "value": shown.text,
                "interval": shown.interval,
                "beside": beside,
                "explanation": name.explanation,
            }
        )
    return found


def _data(run: Workdir) -> list[tuple[str, str]]:
    """What data this is, as pairs for a definition list."""
    data, shape = run.data, run.targets.shape
    pairs = {
        "Recording": data.get("name"),
        "Description": data.get("description"),
        "Origin": "simulated, no brain was scanned" if run.simulated else "recorded",
        "Modality": str(data.get("modality") or "fMRI"),
        "Trials": _number(data.get("trials")),
        "Voxels": _number(data.get("voxels")),
        "Region": data.get("roi"),
        "Images": f"{shape[1]} × {shape[2]} pixels, "
        + ("black and white" if run.binary else "grey" if shape[3] == 1 else "RGB"),
        "Test images": ", ".join(
            f"{split}: {text_format.count(summary_text.n_stimuli(run, split), 'image')} in "
            f"{text_format.count(len(run.rows(split)), 'reconstruction')}"
            for split in run.test_sets
        ),
        "Folds": str(len(run.fold_names)) if len(run.fold_names) > 1 else None,
        **_penalties(run.run.get("baselines")),
        "Fingerprint": data.get("fingerprint"),
    }
    return [(label, str(value)) for label, value in pairs.items() if value]


def _penalties(folds: Any) -> dict[str, str]:
    """The penalty that each ridge baseline chose, from the least to the greatest of all folds."""
    found: dict[str, list[float]] = {}
    for chosen in folds.values() if isinstance(folds, dict) else ():
        for name, summary in chosen.items():
            if "penalty" in summary:
                found.setdefault(name, []).append(float(summary["penalty"]))
    return {
        f"Penalty of {baselines.baseline(name).label}": " to ".join(
            f"{value:.4g}" for value in dict.fromkeys((min(values), max(values)))
        )
        for name, values in found.items()
    }


def _rois(rois: Any) -> list[tuple[str, str]]:
    """Regions of interest with their numbers of voxels, as far as they are given."""
    if isinstance(rois, dict):
        return [(str(name), _number(size)) for name, size in rois.items()]
    return [(str(name), "") for name in rois or []]


def _learned(folds: Any) -> dict[str, Any] | None:
    """What the model of each fold says of itself: column names, and fold -> its cells."""
    if not isinstance(folds, dict) or not folds:
        return None
    columns = list(dict.fromkeys(name for summary in folds.values() for name in summary))
    rows = {
        fold: [_cell(summary.get(name, "")) for name in columns] for fold, summary in folds.items()
    }
    return {"columns": columns, "rows": rows}


def _learned_figures(run: Workdir) -> list[tuple[str, str, str]]:
    """Figures that the method itself has drawn: name, address and caption."""
    captions = run.run.get("figures")
    known = captions if isinstance(captions, dict) else {}
    files = {name: run.path / "figures" / f"{name}.png" for name in known}
    return [
        (name.replace("_", " "), data_address(file.read_bytes()), str(known[name]))
        for name, file in files.items()
        if file.is_file()
    ]


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else _number(value)


def _phases(phases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The wall time of each phase and its share of the whole."""
    seconds = [float(phase.get("wall_s") or 0.0) for phase in phases]
    total = max(sum(seconds), 1e-9)
    return [
        {
            "name": phase.get("name", ""),
            "time": text_format.duration(wall),
            "share": 100 * wall / total,
        }
        for phase, wall in zip(phases, seconds, strict=True)
    ]


def _software(run: Workdir) -> list[tuple[str, str]]:
    """Versions, devices, commit and seed, as pairs for a definition list."""
    versions = run.run.get("versions") or {}
    devices = run.run.get("devices") or []
    pairs = {
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "Devices": devices if isinstance(devices, str) else ", ".join(map(str, devices)),
        "Commit": run.run.get("commit"),
        "Seed": run.run.get("seed"),
    }
    return [(name, str(value)) for name, value in pairs.items() if value not in (None, "")]


def _commands(run: Workdir) -> list[str]:
    """How to run it again, and how to write this page again."""
    name, _, argument = str(run.run.get("experiment") or "").partition(":")
    if run.run.get("command"):
        command = str(run.run["command"])
    elif name:
        file = name if name.endswith(".py") else f"experiments/{name}.py"
        config = f"{file}:{argument}" if argument else file
        command = f"python launch.py --config={shlex.quote(config)}"
    else:  # from the resolved config alone, into a new folder
        code = (
            "import json, pathlib; from fmri_jax.pipeline.run import run; run(json.loads("
            f"pathlib.Path({str(run.path / 'config.json')!r}).read_text()), "
            "pathlib.Path('runs/again'))"
        )
        command = f"python -c {shlex.quote(code)}"
    return [command, f"fmri-jax report {shlex.quote(str(run.path))}"]


def _number(value: Any) -> str:
    """An integer with thousands separated; anything else as it is."""
    return f"{value:,}" if isinstance(value, int) else str(value or "")
