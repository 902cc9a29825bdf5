"""Whether anything was decoded: identification against chance, and what few images can show."""

import math

import numpy as np

from fmri_jax.data.recording import IMAGERY
from fmri_jax.evaluation.notes import Note, Severity
from fmri_jax.evaluation.permutation import compare
from fmri_jax.evaluation.results import UNEVEN
from fmri_jax.evaluation.units import FEW
from fmri_jax.evaluation.without_mean import BlindTest, blind_test, identification_without_mean
from fmri_jax.pipeline import evidence
from fmri_jax.pipeline.evidence import UNNAMED, Labels
from fmri_jax.pipeline.rows import Rows
from fmri_jax.report.text.text_format import count, p_text


def against_chance(
    rows: Rows, n_permutations: int = 1000, labels: Labels = UNNAMED
) -> tuple[dict[str, float], list[Note]]:
    """A permutation test of pairwise identification on the test set: numbers and notes.

    With the mean of each fold removed where it is known. Of several folds, each has a decoder of
    its own, and what it answers without information may tell the fold: then identification must
    also be above that by the same decoders on shuffled fMRI.
    """
    test = rows.main_test_set()
    if len(np.unique(test.stimulus)) < 2:
        return {}, few(test)
    units = evidence.units(test, labels)
    means = test.predictions.get("mean_image")
    raw = blind_test(test.targets, test.reconstructions, means, False, units, n_permutations)
    numbers = {"identification_2way_p": raw.p, "identification_2way_blind": raw.level}
    numbers["independent_units"] = raw.units
    text, p = _raw_text(raw), raw.p
    if means is not None:
        centred = blind_test(test.targets, test.reconstructions, means, True, units, n_permutations)
        p = max(centred.p, _above_shuffled(test, means, units))
        numbers |= {"identification_centred_p": p, "identification_centred_blind": centred.level}
        text = _centred_text(centred, raw)
    above = p < 0.05
    text = f"Identification {'is above' if above else 'is not above'} chance ({p_text(p)}): {text}"
    severity: Severity = "info" if above else "warning"
    values = {"p": p, "above": above, "images": raw.units}
    return numbers, [*few(test, units), Note("chance", severity, text, values)]


def few(test: Rows, known: np.ndarray | None = None) -> list[Note]:
    """What so few independent test images, in `known` units, can show."""
    stimuli = len(np.unique(test.stimulus))
    if known is None:
        known = evidence.units(test)
    units = len(np.unique(known))
    if units >= FEW:
        return []
    groups = (
        ""
        if units == stimuli
        else f" of {count(units, 'independent group')} (near copies, and what the recording says "
        "depends on one another)"
    )
    few_what = "so few" if units == stimuli else "so few groups"
    text = (
        f"{count(stimuli, 'test image')}{groups}: {few_what} prove little. Tests and "
        "intervals allow for that, but another choice of images may well give other scores; "
    )
    least = 2.0 ** (1 - units)
    text += (
        f"a lead over a baseline cannot be significant, as its least p is {least:.2g}."
        if least >= 0.05
        else "test more images, or leave out more of them in turn (split='stimulus')."
    )
    least = _least_p(units, len(np.unique(test.fold)))
    if least >= 0.05:
        text += f" Nor can identification be found above chance: its least p is {least:.2g}."
    return [Note("few_images", "warning", text, {"images": stimuli, "units": units})]


def _least_p(units: int, folds: int) -> float:
    """The least p of identification above chance: of all exchanges, and of folds of all swaps."""
    return max(1 / math.factorial(min(units, 20)), 2.0**-units if folds > 1 else 0.0)


def _above_shuffled(test: Rows, means: np.ndarray, units: np.ndarray) -> float:
    """One-sided p of identification above that on shuffled fMRI; 0 where one fold needs none."""
    shuffled = test.predictions.get("shuffled_fmri")
    if shuffled is None or len(np.unique(test.fold)) < 2:
        return 0.0
    ours, theirs = (
        identification_without_mean(test.targets, images, means)
        for images in (test.reconstructions, shuffled)
    )
    gap = compare(ours, theirs, units)
    return gap.p / 2 if gap.value > 0 else 1 - gap.p / 2


def _raw_text(raw: BlindTest) -> str:
    return (
        f"{raw.value:.1%} in pairs, where a decoder without information reaches {raw.level:.1%} "
        "(answers exchanged between images)."
    )


def _centred_text(centred: BlindTest, raw: BlindTest) -> str:
    """The score without the mean, and the raw one where it has another blind level."""
    text = (
        f"with the mean of the training images removed, {centred.value:.1%} in pairs, where a "
        f"decoder without information reaches {centred.level:.1%} (answers exchanged between "
        "images, each of which keeps its fold)"
    )
    if abs(raw.level - 0.5) > UNEVEN:
        text += (
            f". As it is, {raw.value:.1%}, and without information {raw.level:.1%}, not 50 %, as "
            "the mean of each fold lacks the images that it is compared with"
        )
    return text + "."


def imagined(rows: Rows, labels: Labels = UNNAMED) -> list[Note]:
    """What a reader must know of imagery: no rank of methods on seen images holds for it.

    After Kneeland et al. (2025), "NSD-Imagery", arXiv:2506.06898.
    """
    part = rows.take(rows.split == IMAGERY)
    images = len(np.unique(part.stimulus))
    if not images:
        return []
    text = (
        f"{count(images, 'image')} of test set {IMAGERY!r} {'was' if images == 1 else 'were'} "
        "imagined, with nothing on the screen, and scored apart, among themselves"
    )
    values: dict[str, object] = {"images": images}
    if images > 1:
        units = evidence.units(part, labels)
        p = blind_test(part.targets, part.reconstructions, centred=False, units=units).p
        values |= {"p": p, "above": p < 0.05}
        is_above = "is" if p < 0.05 else "is not"
        text += f": 2-way identification {is_above} above chance ({p_text(p)})"
    text += ". How methods rank on seen images says little about how they rank on imagined ones."
    alone = rows.test_sets()[0] == IMAGERY
    return [Note("imagery", "warning" if alone else "info", text, values)]
