"""The rows of a comparison: the numbers of each variant and baseline."""

import dataclasses
import math
from collections.abc import Sequence

from fmri_jax.evaluation import baselines, registry
from fmri_jax.evaluation.intervals import Score
from fmri_jax.evaluation.permutation import Difference
from fmri_jax.report import tables
from fmri_jax.report.comparison.comparability import by_baselines, unranked_mark
from fmri_jax.report.comparison.variants import (
    Variant,
    by_images,
    difference,
    distinguished,
    simulated_mark,
)
from fmri_jax.report.figures.charts import BarColour, baseline_colour

SIGNIFICANT = 0.05
_UNKNOWN = Score(math.nan)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One row of the table: a variant, or a baseline.

    A baseline is taken from the first of all variants with the same training and test trials.

    Attributes:
        name: what it is called.
        label: the name as it is shown, which says where only some data are simulated, and where a
            variant is not ranked.
        sets: 'test' (the main test set, whatever its name) and 'train' -> metric -> score.
        differences: metric -> paired difference from the first variant on the test set.
        spread: metric -> standard deviation over seeds on the test set, NaN for one seed.
        baseline: whether this is a baseline.
        images: number of the group that has the same test images.
        ranked: whether it may be the best: its test images are new to it, and it is no baseline.
        simulated: whether its fMRI is.
        colour: of its bars.
    """

    name: str
    label: str
    sets: dict[str, dict[str, Score]]
    differences: dict[str, Difference] = dataclasses.field(default_factory=dict)
    spread: dict[str, float] = dataclasses.field(default_factory=dict)
    baseline: bool = False
    images: int = 0
    ranked: bool = True
    simulated: bool = False
    colour: BarColour = "variant"

    def score(self, split: str, metric: str) -> Score:
        """A score, NaN where there is none."""
        return self.sets.get(split, {}).get(metric, _UNKNOWN)

    def differs(self, metric: str) -> bool:
        """Whether a test score differs from the first variant's, p < .05."""
        return metric in self.differences and self.differences[metric].p < SIGNIFICANT

    def note(self, metric: str) -> str:
        """The difference from the first variant and the spread over seeds, in words."""
        name, parts = registry.metric(metric), []
        if found := self.differences.get(metric):
            parts.append(tables.difference_text(metric, found))
        if math.isfinite(self.spread.get(metric, math.nan)):
            parts.append(f"standard deviation over seeds {name.text(self.spread[metric])}")
        return "; ".join(parts)


def entries(variants: Sequence[Variant]) -> list[Entry]:
    """The numbers of every variant, then the baselines, of every training and test set its own."""
    groups = by_images(variants)
    number = {id(variant): i for i, group in enumerate(groups) for variant in group}
    found = [_entry(variant, variants, number[id(variant)]) for variant in variants]
    owners = [group[0] for group in by_baselines(variants)]
    for owner in owners:
        whose = f" of {owner.name}" if len(owners) > 1 else ""
        for baseline, scores in owner.first.scores.baselines.items():
            name = distinguished(baselines.baseline(baseline).label + whose, variants, "baseline")
            label = name + simulated_mark(owner, variants)
            found.append(
                Entry(
                    name,
                    label,
                    {"test": dict(scores)},
                    baseline=True,
                    images=number[id(owner)],
                    ranked=False,
                    simulated=owner.first.simulated,
                    colour=baseline_colour(baseline),
                )
            )
    return found


def best_runs(rows: Sequence[Entry], metric: str) -> list[bool]:
    """Which rows are the best on the test set: none where the images differ.

    Baselines and variants that were trained on test images are not among them.
    """
    if len({row.images for row in rows}) > 1:
        return [False] * len(rows)
    values = [row.score("test", metric).value if row.ranked else math.nan for row in rows]
    return tables.best_of(metric, values)


def _entry(variant: Variant, variants: Sequence[Variant], images: int) -> Entry:
    """The numbers of one variant beside the first one.

    Where only one of the two knows the test images, a test would say nothing about decoding.
    """
    comparable = variant.knows_test_images == variants[0].knows_test_images
    paired = variant.scores["test"] if comparable else {}
    found = {metric: difference(variant, variants[0], metric) for metric in paired}
    return Entry(
        variant.name,
        variant.name + unranked_mark(variant, variants) + simulated_mark(variant, variants),
        variant.scores,
        {metric: value for metric, value in found.items() if value is not None},
        variant.spread,
        images=images,
        ranked=not variant.knows_test_images,
        simulated=variant.first.simulated,
        colour="accent" if variant is variants[0] else "variant",
    )
