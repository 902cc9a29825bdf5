"""Hypotheses, orderings that were expected before the runs, beside the numbers.

What is shown of each reaches no further than the runs do.
"""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Literal

from fmri_jax.errors import InputError
from fmri_jax.evaluation import registry
from fmri_jax.report.comparison.entries import SIGNIFICANT
from fmri_jax.report.comparison.variants import Variant, by_images, difference, same_images
from fmri_jax.report.text.text_format import p_text

Outcome = Literal["holds", "open", "fails", "untested"]

_NUMBERS = {1: "one seed", 2: "two seeds"}


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """An ordering that was expected before the runs.

    Attributes:
        better: the variant that should score better on the test set.
        worse: the variant that should score worse.
        metric: by which score.
        text: why, or where the hypothesis is from; '' shows the ordering alone.
    """

    better: str
    worse: str
    metric: str
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What the numbers say of one hypothesis.

    Attributes:
        hypothesis: what was expected.
        outcome: 'holds' if the ordering came out with p < .05, 'open' if it came out but not with
            p < .05, 'fails' if the opposite or a tie came out, 'untested' if it cannot be tested.
        label: the outcome in words, no more general than the runs are.
        sentence: the numbers, or why there are none.
    """

    hypothesis: Hypothesis
    outcome: Outcome
    label: str
    sentence: str


def findings(
    hypotheses: Sequence[Hypothesis], variants: Sequence[Variant], failed: Collection[str] = ()
) -> list[Finding]:
    """The finding on every hypothesis, in their order.

    Untested: variants that `failed`, that were tested on other images, or of which one alone knows
    its test images from training.

    Raises:
        InputError: a hypothesis names a variant or metric that is not there.
    """
    return [_finding(hypothesis, variants, failed) for hypothesis in hypotheses]


def seeds_remark(variants: Sequence[Variant]) -> str:
    """What p-values between networks leave open; '' where no variant has few random starts."""
    groups = [group for group in by_images(variants) if len(group) > 1]
    few = [variant for group in groups for variant in group if variant.few_starts]
    if not few:
        return ""
    names = "every variant" if len(few) == len(variants) else ", ".join(v.name for v in few)
    each = "One seed each" if all(len(v.runs) == 1 for v in few) else "Fewer than three seeds each"
    return (
        f"{each}: {names}. Such models are trained from a random start. The tests allow for other "
        "images, in testing and in training, but not for another start: another seed may reverse "
        "what p < .05 says of these networks."
    )


def compare(hypothesis: Hypothesis, variants: Sequence[Variant]) -> tuple[Outcome, str]:
    """The outcome by the numbers alone, and these in words.

    Raises:
        InputError: the hypothesis names a variant or metric that is not there.
    """
    named = {variant.name: variant for variant in variants}
    for name in (hypothesis.better, hypothesis.worse):
        if name not in named:
            raise InputError(f"A hypothesis names variant {name!r}: there are {', '.join(named)}.")
    better, worse = named[hypothesis.better], named[hypothesis.worse]
    if any(hypothesis.metric not in variant.scores["test"] for variant in (better, worse)):
        raise InputError(
            f"A hypothesis names the score {hypothesis.metric!r}, which a variant has not."
        )
    metric = registry.metric(hypothesis.metric)
    ours, theirs = (v.scores["test"][hypothesis.metric].value for v in (better, worse))
    sentence = f"{metric.label}: {metric.text(ours)} against {metric.text(theirs)}"
    found = difference(better, worse, hypothesis.metric)
    if found is None:
        sentence += ", not tested because the test images differ"
    else:
        sentence += f", {p_text(found.p)}"
    if not metric.is_better(ours, theirs):
        return "fails", sentence
    return ("holds" if found is not None and found.p < SIGNIFICANT else "open"), sentence


def _finding(
    hypothesis: Hypothesis, variants: Sequence[Variant], failed: Collection[str]
) -> Finding:
    pair = (hypothesis.better, hypothesis.worse)
    if missing := [name for name in pair if name in failed]:
        return Finding(hypothesis, "untested", "untested", f"{' and '.join(missing)} failed")
    outcome, sentence = compare(hypothesis, variants)
    named = [variant for variant in variants if variant.name in pair]
    if not same_images(named[0], named[-1]):
        return Finding(hypothesis, "untested", "untested", sentence)
    if named[0].knows_test_images != named[-1].knows_test_images:
        known = next(variant.name for variant in named if variant.knows_test_images)
        why = f"{sentence}; test images of {known} were shown in training"
        return Finding(hypothesis, "untested", "untested", why)
    few = [variant for variant in named if variant.few_starts]
    if not few or outcome == "open":
        return Finding(hypothesis, outcome, outcome, sentence)
    seeds = _NUMBERS[min(len(variant.runs) for variant in few)]
    return Finding(hypothesis, outcome, f"{outcome} for these networks ({seeds})", sentence)
