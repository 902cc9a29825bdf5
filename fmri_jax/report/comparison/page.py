"""One table and one page over several runs, such as the regions and ablations of a paper."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fmri_jax.evaluation import registry
from fmri_jax.report.comparison import comparability, subjects, tables, widths
from fmri_jax.report.comparison import figures as comparison_pictures
from fmri_jax.report.comparison.entries import Entry, best_runs, entries
from fmri_jax.report.comparison.hypotheses import Hypothesis, findings, seeds_remark
from fmri_jax.report.comparison.variants import Paths, Variant, by_images, read_variants
from fmri_jax.report.figures import charts
from fmri_jax.report.figures.theme import LIGHT, png
from fmri_jax.report.modality_words import Words
from fmri_jax.report.rendering import Chart, draw, render, write_file
from fmri_jax.report.text import summary_text
from fmri_jax.report.text.text_format import count, duration, joined, shortened

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
    hypotheses: Sequence[Hypothesis],
    failed: Collection[str] = (),
) -> Comparison:
    """Writes `comparison.{html,csv,md}` and `figures/`; see `fmri_jax.report.compare`."""
    variants = read_variants(workdirs)
    found = findings(hypotheses, variants, failed)
    rows = entries(variants)
    main = [metric for metric in _MAIN if _in_all(variants, metric)]
    over = subjects.table(variants, main)
    seeds = seeds_remark(variants)
    warnings = comparability.warnings(variants)
    words = _words(variants)
    markdown = tables.as_markdown(rows, main, [*warnings, *filter(None, [seeds])], words)
    markdown = "\n".join(filter(None, [markdown, subjects.as_markdown(over, main)]))
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    _draw_pictures(variants, figures / "reconstructions.png", words)
    galleries = comparison_pictures.strips(variants)
    metrics = variants[0].first.scores.metrics
    values = {
        "title": title,
        "text": text,
        "summary": _summary(variants, rows),
        "remarks": _remarks(variants, rows, [*warnings, *([seeds] if seeds and not found else [])]),
        "seeds_remark": seeds,
        "first": variants[0].name,
        "tested": any(row.differences for row in rows),
        "owners": [group[0].name for group in comparability.by_baselines(variants)],
        "ranking": comparability.ranking(variants),
        "simulated": all(variant.first.simulated for variant in variants),
        "pixelated": max(variants[0].first.targets.shape[1:3]) <= 32,
        "findings": found,
        "over_subjects": over,
        "over_metrics": [registry.metric(metric) for metric in main],
        "tables": tables.page_tables(rows, metrics, _MAIN),
        "chart_of_scores": _chart(variants, rows, main, figures / "scores.png", words),
        "chart_of_widths": widths.chart(
            variants, main, figures / "widths.png", _mark(variants), words
        ),
        "galleries": galleries,
        "by_whom": "several variants" if any(g.left_out for g in galleries) else "every variant",
        "runs": [_run(variant, out) for variant in variants],
    }
    write_file(out / "comparison.md", markdown)
    table = write_file(out / "comparison.csv", tables.as_csv(rows))
    page = write_file(out / "comparison.html", render("comparison.html", values, words))
    return Comparison(page, table, markdown)


def _words(variants: Sequence[Variant]) -> Words | None:
    """Those of what was recorded, where that is the same for all."""
    kinds = {variant.first.data.get("modality") for variant in variants}
    return variants[0].first.words if len(kinds) == 1 else None


def _draw_pictures(variants: Sequence[Variant], path: pathlib.Path, words: Words | None) -> None:
    """Writes the images that variants share; without any, none of an earlier page may stay."""
    figure = comparison_pictures.figure(variants, LIGHT)
    if figure is None:
        path.unlink(missing_ok=True)
    else:
        write_file(path, png(figure, words))


def _in_all(variants: Sequence[Variant], metric: str) -> bool:
    """Whether every variant has a test score."""
    return all(metric in run.scores.test for variant in variants for run in variant.runs)


def _summary(variants: Sequence[Variant], rows: Sequence[Entry]) -> list[str]:
    """Who is best by what, and who differs from the first."""
    n_runs = sum(len(variant.runs) for variant in variants)
    tested = [
        f"{group[0].name} was tested on "
        + count(summary_text.n_stimuli(group[0].first, group[0].first.main), "image")
        for group in by_images(variants)
    ]
    sentences = [
        f"{count(len(variants), 'variant')} in {count(n_runs, 'run')}; {joined(tested)}"
        + (", which are not the same ones." if len(tested) > 1 else ".")
    ]
    for metric in ("pixel_correlation", "identification_2way", "f1"):
        best = best_runs(rows, metric)
        if _in_all(variants, metric) and any(best):
            name, leader = registry.metric(metric), rows[best.index(True)]
            value = name.text(leader.score("test", metric).value)
            sentences.append(f"Best {name.in_sentence}: {leader.label} with {value}.")
    if any(entry.differences for entry in rows):
        found = [entry.name for entry in rows if entry.differs("pixel_correlation")]
        few = any(variant.few_starts for variant in variants)
        sentences.append(
            f"In pixel correlation {joined(found) or 'no variant'} "
            f"{'differ' if len(found) > 1 else 'differs'} from {variants[0].name} (p < .05, "
            f"paired over stimuli{', for the networks as trained here' if few else ''})."
        )
    return sentences


def _remarks(
    variants: Sequence[Variant], rows: Sequence[Entry], warnings: Sequence[str]
) -> list[tuple[str, bool]]:
    """What limits the comparison, and whether it is to stand out."""
    remarks = [(warning, True) for warning in warnings]
    tested = sum(bool(entry.differences) for entry in rows)
    if tested > 1:
        remarks.append(
            (
                f"Each of the {tested} other variants was tested against {variants[0].name} "
                "without correction: between models that are equally good, one test in twenty "
                "comes out below .05 by the choice of images alone.",
                False,
            )
        )
    # What is no warning and true of some variants only stands on their own pages, where it can be
    # understood.
    first, *others = (variant.notes[0] for variant in variants)
    shared = [note for note in first if all(note in notes for notes in others)]
    return remarks + [(note.text, False) for note in shared if not note.is_warning]


def _chart(
    variants: Sequence[Variant],
    rows: Sequence[Entry],
    metrics: list[str],
    path: pathlib.Path,
    words: Words | None,
) -> Chart:
    """Bars of the main scores of every row."""
    # Three panels side by side leave no more room for names.
    labels = shortened([entry.label for entry in rows], 26)
    panels = {m: [entry.score("test", m) for entry in rows] for m in metrics}
    chance, colours = variants[0].first.scores.chance, [entry.colour for entry in rows]
    chart = functools.partial(charts.bar_panels, labels, panels, chance, colours=colours)
    text = "Bars of the main scores of every variant and baseline."
    return draw(path, text, chart, _mark(variants), words)


def _mark(variants: Sequence[Variant]) -> str:
    """What each figure says in a corner."""
    return "Simulated data" if all(variant.first.simulated for variant in variants) else ""


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
        "time": duration(sum(seconds)),
    }
