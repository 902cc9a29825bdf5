"""One table and one page over several runs, such as the regions and ablations of a paper."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from fmri_jax.report import charts, comparison_pictures, comparison_tables, metric_names, words
from fmri_jax.report.comparison_tables import Entry
from fmri_jax.report.rendering import Chart, draw, render, write_whole
from fmri_jax.report.theme import LIGHT, png
from fmri_jax.report.variants import Claim, Paths, Variant, judge, read_variants, same_images

# Scores that the chart and the Markdown table show, as far as every variant has them.
_MAIN = ("pixel_correlation", "ssim", "identification_2way", "accuracy", "f1", "alexnet5", "lpips")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a comparison leaves: the page, the table as CSV, and as Markdown for a terminal."""

    page: pathlib.Path
    csv: pathlib.Path
    markdown: str


def write_comparison(
    workdirs: Mapping[str, Paths],
    out: pathlib.Path,
    title: str,
    text: str,
    claims: Sequence[Claim],
) -> Comparison:
    """Writes `comparison.{html,csv,md}` and `figures/`; see `fmri_jax.report.compare`."""
    variants = read_variants(workdirs)
    judged = [(claim, *judge(claim, variants)) for claim in claims]
    entries = comparison_tables.entries(variants)
    main = [metric for metric in _MAIN if _in_all(variants, metric)]
    markdown = comparison_tables.as_markdown(entries, main)
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    figure = comparison_pictures.figure(variants, LIGHT)
    write_whole(figures / "reconstructions.png", png(figure))
    metrics = variants[0].first.scores.metrics
    values = {
        "title": title,
        "text": text,
        "summary": _summary(variants, entries),
        "remarks": _remarks(variants),
        "simulated": all(variant.first.simulated for variant in variants),
        "pixelated": max(variants[0].first.targets.shape[1:3]) <= 32,
        "claims": judged,
        "columns": comparison_tables.page_columns(entries, metrics),
        "rows": comparison_tables.page_rows(entries, metrics),
        "chart_of_scores": _chart(variants, entries, main, figures / "scores.png"),
        "galleries": comparison_pictures.strips(variants),
        "runs": [_run(variant, out) for variant in variants],
    }
    write_whole(out / "comparison.md", markdown)
    table = write_whole(out / "comparison.csv", comparison_tables.as_csv(entries))
    page = write_whole(out / "comparison.html", render("comparison.html", values))
    return Comparison(page, table, markdown)


def _in_all(variants: Sequence[Variant], metric: str) -> bool:
    """Whether every variant has a test score."""
    return all(metric in run.scores.test for variant in variants for run in variant.runs)


def _summary(variants: Sequence[Variant], entries: Sequence[Entry]) -> list[str]:
    """Who is best by what, and who differs from the first."""
    n_images = words.n_stimuli(variants[0].first, variants[0].first.main)
    n_runs = sum(len(variant.runs) for variant in variants)
    sentences = [
        f"{words.count(len(variants), 'variant')} in {words.count(n_runs, 'run')}; "
        f"{variants[0].name} was tested on {words.count(n_images, 'image')}."
    ]
    for metric in ("pixel_correlation", "identification_2way", "f1"):
        best = comparison_tables.best_runs(entries, metric)
        if _in_all(variants, metric) and any(best):
            name, leader = metric_names.metric(metric), entries[best.index(True)]
            value = name.text(leader.score("test", metric).value)
            sentences.append(f"Best {name.in_sentence}: {leader.name} with {value}.")
    if any(entry.differences for entry in entries):
        found = [entry.name for entry in entries if entry.differs("pixel_correlation")]
        sentences.append(
            f"In pixel correlation {words.joined(found) or 'no variant'} "
            f"{'differ' if len(found) > 1 else 'differs'} from {variants[0].name} "
            "(p < .05, paired over stimuli)."
        )
    return sentences


def _remarks(variants: Sequence[Variant]) -> list[str]:
    """What limits the comparison."""
    remarks = []
    simulated = [variant.name for variant in variants if variant.first.simulated]
    if simulated:
        whose = "" if len(simulated) == len(variants) else f" of {words.joined(simulated)}"
        remarks.append(
            f"The fMRI{whose} is simulated: the scores say how methods do on a model of visual "
            "cortex, and nothing about a brain."
        )
    others = [v.name for v in variants[1:] if not same_images(v, variants[0])]
    if others:
        remarks.append(
            f"{words.joined(others)} had other test images than {variants[0].name}, so there is no "
            "paired test."
        )
    if len(variants) - len(others) > 2:
        remarks.append(
            f"Each of the {len(variants) - len(others) - 1} other variants was tested against "
            f"{variants[0].name} without correction: where nothing differs, one test in twenty "
            "still comes out below .05."
        )
    # What is true of some variants only stands on their own pages, where it can be understood.
    shared = [
        note
        for note in variants[0].first.scores.notes
        if all(note in variant.first.scores.notes for variant in variants)
    ]
    return remarks + [note for note in shared if "simulated" not in note]


def _chart(
    variants: Sequence[Variant], entries: Sequence[Entry], metrics: list[str], path: pathlib.Path
) -> Chart:
    """Bars of the main scores of every row."""
    labels = [entry.name for entry in entries]
    panels = {m: [entry.score("test", m) for entry in entries] for m in metrics}
    chart = functools.partial(charts.bar_panels, labels, panels, variants[0].first.scores.chance)
    mark = "Simulated data" if any(variant.first.simulated for variant in variants) else ""
    return draw(path, "Bars of the main scores of every variant and baseline.", chart, mark)


def _run(variant: Variant, out: pathlib.Path) -> dict[str, Any]:
    """Where a variant's own pages lie, and what they were made of."""
    run = variant.first
    seconds = [float(p.get("wall_s") or 0) for r in variant.runs for p in r.run.get("phases") or []]
    pages = [os.path.relpath(seed.path / "report.html", out) for seed in variant.runs]
    seeds = [f"seed {seed.run.get('seed', '')}" for seed in variant.runs]
    labels = seeds if len(seeds) > 1 else ["report"]
    return {
        "name": variant.name,
        "links": [
            (label, page.replace(os.sep, "/")) for label, page in zip(labels, pages, strict=True)
        ],
        "method": run.run.get("method") or "",
        "region": run.data.get("roi") or "all",
        "voxels": run.data.get("voxels") or "",
        "time": words.duration(sum(seconds)),
    }
