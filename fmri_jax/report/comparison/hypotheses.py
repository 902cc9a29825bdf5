"""Expected orderings held against the numbers, in words that say how far these reach."""

import dataclasses
from collections.abc import Collection, Sequence

from fmri_jax.report.comparison.variants import Claim, Variant, by_images, judge, same_images

_NUMBERS = {1: "one seed", 2: "two seeds"}


@dataclasses.dataclass(frozen=True)
class Judgement:
    """One claim as the page shows it.

    Attributes:
        claim: what was expected.
        outcome: 'holds', 'open', 'fails' or 'unjudged'.
        label: the outcome in words, no more general than the runs are.
        sentence: the numbers, or why there are none.
    """

    claim: Claim
    outcome: str
    label: str
    sentence: str


def judgements(
    claims: Sequence[Claim], variants: Sequence[Variant], failed: Collection[str] = ()
) -> list[Judgement]:
    """Every claim in its order.

    Not judged: variants that `failed`, that saw other images, or of which one alone knows its test
    images from training.

    Raises:
        InputError: a claim names a variant or metric that is not there.
    """
    return [_judgement(claim, variants, failed) for claim in claims]


def seeds_remark(variants: Sequence[Variant]) -> str:
    """What p-values between networks leave open; '' where no variant has few random starts."""
    groups = [group for group in by_images(variants) if len(group) > 1]
    few = [variant for group in groups for variant in group if variant.few_starts]
    if not few:
        return ""
    names = "every variant" if len(few) == len(variants) else ", ".join(v.name for v in few)
    each = "One seed each" if all(len(v.runs) == 1 for v in few) else "Fewer than three seeds each"
    return (
        f"{each}: {names}. Such models are trained from a random start, and the tests swap images "
        "only: p < .05 says that these trained networks differ on other images, too, and another "
        "seed may reverse it."
    )


def _judgement(claim: Claim, variants: Sequence[Variant], failed: Collection[str]) -> Judgement:
    missing = [name for name in (claim.better, claim.worse) if name in failed]
    if missing:
        return Judgement(claim, "unjudged", "not judged", f"{' and '.join(missing)} failed")
    outcome, sentence = judge(claim, variants)
    named = [v for v in variants if v.name in (claim.better, claim.worse)]
    if not same_images(named[0], named[-1]):
        return Judgement(claim, "unjudged", "not judged", sentence)
    if named[0].knows_test_images != named[-1].knows_test_images:
        known = next(variant.name for variant in named if variant.knows_test_images)
        why = f"{sentence}; test images of {known} were shown in training"
        return Judgement(claim, "unjudged", "not judged", why)
    few = [variant for variant in named if variant.few_starts]
    if not few or outcome == "open":
        return Judgement(claim, outcome, outcome, sentence)
    seeds = _NUMBERS[min(len(variant.runs) for variant in few)]
    return Judgement(claim, outcome, f"{outcome} for these networks ({seeds})", sentence)
