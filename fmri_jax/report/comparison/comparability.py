"""What keeps rows of a comparison from being compared: leaks, other splits, other images."""

import json
from collections.abc import Sequence
from typing import Any

from fmri_jax.data import modality
from fmri_jax.evaluation.notes import KINDS, Note
from fmri_jax.report.comparison.variants import Variant, by_images
from fmri_jax.report.text.text_format import joined

# Options of the preparation that choose voxels, or add photographs to what the method learns from:
# tested trials, images and baselines are the same.
_OF_VOXELS = ("roi", "fmri")
_ADDED = ("unlabelled", "n_unlabelled", "unlabelled_features", "unlabelled_model")


def warnings(variants: Sequence[Variant]) -> list[str]:
    """What makes rows of the table another thing than they seem to be, the worst first."""
    found = [
        _known_images(variants),
        *_own_warnings(variants),
        _other_preparation(variants),
        _other_images(variants),
        _simulated(variants),
        _modalities(variants),
    ]
    return [sentence for sentence in found if sentence]


def unranked_mark(variant: Variant, variants: Sequence[Variant]) -> str:
    """What is added to a row's name: that it is not ranked, unless no row is."""
    everywhere = all(other.knows_test_images for other in variants)
    return " (not ranked)" if variant.knows_test_images and not everywhere else ""


def by_baselines(variants: Sequence[Variant]) -> list[list[Variant]]:
    """The variants in groups that share baselines: trained and tested on the same trials.

    Within one recording the voxels may differ, as do the regions of a table: its first row's
    baselines stand for all.
    """
    options = sorted(_differing(variants))
    found: dict[str, list[Variant]] = {}
    for images, group in enumerate(by_images(variants)):
        for variant in group:
            chosen = [variant.first.preparation.get(option) for option in options]
            key = [images, variant.first.data.get("fingerprint"), chosen]
            found.setdefault(json.dumps(key, default=str), []).append(variant)
    return sorted(found.values(), key=lambda group: variants.index(group[0]))


def ranking(variants: Sequence[Variant]) -> str:
    """Which rows may be bold, as part of a sentence."""
    known = [variant.name for variant in variants if variant.knows_test_images]
    if len(by_images(variants)) > 1:
        return "no variant is the best, because the test images differ"
    if len(variants) - len(known) < 2:
        why = f", because test images of {joined(known)} were shown in training" if known else ""
        return f"no variant is the best{why}" if known else "there is one variant, so none is best"
    other = f", {joined(known)} left out, whose test images were shown in training" if known else ""
    return f"the best variant of each column is bold{other}"


def _known_images(variants: Sequence[Variant]) -> str:
    """Which variants are not ranked because they may recognise the test images."""
    known = [variant.name for variant in variants if variant.knows_test_images]
    if not known:
        return ""
    if len(known) == len(variants):
        return (
            "No variant is the best: the test images of every variant were also shown in training."
        )
    return (
        f"{joined(known)}: not ranked and not tested against the others, because test images were "
        "also shown in training. A model that knows an image need not reconstruct it."
    )


def _own_warnings(variants: Sequence[Variant]) -> list[str]:
    """The warnings of the variants' own pages, each with the names of those that have it.

    Warnings of one kind that differ, such as by a p-value, become one in general terms.
    """
    found: dict[str, dict[str, list[Note]]] = {}
    for variant in variants:
        for notes in variant.notes:
            for note in notes:
                if note.is_warning and note.kind != "simulated":  # reported once, with the names
                    alike = "" if KINDS[note.kind].in_general else note.values
                    kind = f"{note.kind} {alike}".strip()
                    found.setdefault(kind, {}).setdefault(variant.name, []).append(note)
    sentences = []
    for kind, by_name in found.items():
        notes = [note for several in by_name.values() for note in several]
        same = all(note == notes[0] for note in notes)
        owners = [_owner(v, len(by_name[v.name])) for v in variants if v.name in by_name]
        everyone = len(variants) > 1 and owners == [variant.name for variant in variants]
        text = notes[0].text if same else KINDS[kind].in_general
        sentences.append(f"{'Every variant' if everyone else joined(owners)}: {text}")
    return sentences


def _owner(variant: Variant, n_runs: int) -> str:
    """A variant's name, with the number of seeds where a warning is not of all of them."""
    total = len(variant.runs)
    return variant.name if n_runs >= total else f"{variant.name} ({n_runs} of {total} seeds)"


def _other_preparation(variants: Sequence[Variant]) -> str:
    """Which options of split and preparation differ, and the variants that have each value."""
    parts = []
    for option, values in _differing(variants).items():
        whose: dict[str, list[str]] = {}
        for variant, value in zip(variants, values, strict=True):
            whose.setdefault(str(value), []).append(variant.name)
        parts.append(
            f"{option} is "
            + ", ".join(f"{value} for {joined(names)}" for value, names in whose.items())
        )
    if not parts:
        return ""
    return (
        f"The trials were split or prepared differently: {'; '.join(parts)}. A difference in "
        "scores may come from that, and each such group has baselines of its own."
    )


def _other_images(variants: Sequence[Variant]) -> str:
    """Which variants had other test images than the first."""
    same, *others = by_images(variants)
    if not others:
        return ""
    names = joined([variant.name for group in others for variant in group])
    return (
        f"{names} had other test images than {same[0].name}, so there is no paired test, "
        "none is the best, and each has baselines of its own: a score depends on the images."
    )


def _modalities(variants: Sequence[Variant]) -> str:
    """Which variants were recorded in another way, where they are not of one kind."""
    whose: dict[str, list[str]] = {}
    for variant in variants:
        kind = modality.find(str(variant.first.data.get("modality") or modality.FMRI)).name
        whose.setdefault(kind, []).append(variant.name)
    if len(whose) < 2:
        return ""
    parts = [f"{kind} for {joined(names)}" for kind, names in whose.items()]
    return (
        f"What was recorded differs: {', '.join(parts)}. Where this page says fMRI and voxels, "
        "read what each variant is of."
    )


def _simulated(variants: Sequence[Variant]) -> str:
    """Which variants' fMRI no brain gave."""
    simulated = [variant.name for variant in variants if variant.first.simulated]
    if not simulated:
        return ""
    whose = "" if len(simulated) == len(variants) else f" of {joined(simulated)}"
    return (
        f"The fMRI{whose} is simulated: the scores say how methods do on a model of visual "
        "cortex, and nothing about a brain."
    )


def _differing(variants: Sequence[Variant]) -> dict[str, list[Any]]:
    """Option -> value of each variant, of those options of the preparation that differ.

    An option that some config lacks, as those of earlier versions may, is not known to differ.
    """
    prepared = [variant.first.preparation for variant in variants]
    shared = [option for option in prepared[0] if all(option in other for other in prepared)]
    return {
        option: [other[option] for other in prepared]
        for option in shared
        if option not in (*_OF_VOXELS, *_ADDED)
        and any(o[option] != prepared[0][option] for o in prepared)
    }
