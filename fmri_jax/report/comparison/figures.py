"""The same images as every variant of a comparison reconstructed them."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.evaluation.baselines import baseline
from fmri_jax.report.comparison.image_matching import same_images
from fmri_jax.report.comparison.variants import Variant, distinguished, simulated_mark
from fmri_jax.report.figures import montage, pictures
from fmri_jax.report.figures.theme import Theme
from fmri_jax.report.io.workdir import Workdir
from fmri_jax.report.text.text_format import joined, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_IMAGES = 12  # columns, evenly spaced over the first variant's ranking
_LONGEST_NAME = 14  # signs: two lines above an image on the page, one below an image in the figure


@dataclasses.dataclass(frozen=True)
class Strips:
    """One image set: a strip of pictures for each variant that was tested on any of these images.

    Attributes:
        split: the set's name.
        names: of the images.
        short_names: the same, short enough for a heading, and as different from one another.
        strips: label and pictures of each row, None where it has none of an image.
        left_out: the variants that were tested on others.
    """

    split: str
    names: tuple[str, ...]
    short_names: tuple[str, ...]
    strips: tuple[tuple[str, tuple[pictures.Picture | None, ...]], ...]
    left_out: tuple[str, ...]


def strips(variants: Sequence[Variant]) -> list[Strips]:
    """For each test set of the first variant what the variants made of the same images.

    A set that no other variant was tested on is left out: there is nothing to compare.
    """
    reference = variants[0].first
    rows = {split: _chosen(reference, split, MOST_IMAGES) for split in reference.test_sets}
    side = pictures.affordable_side(reference, sum(map(len, rows.values())) * (len(variants) + 2))
    found = []
    for split, chosen in rows.items():
        shown = _sharing(variants, split, chosen)
        names = tuple(reference.names[row] for row in chosen)
        shared = tuple(
            (label, tuple(_picture(image, label, side) for image in images))
            for label, images in _images(variants, shown, split, chosen)
        )
        left_out = tuple(variant.name for variant in variants if variant not in shown)
        if len(shown) >= min(2, len(variants)):
            short = tuple(shortened(names, _LONGEST_NAME))
            found.append(Strips(split, names, short, shared, left_out))
    return found


def figure(variants: Sequence[Variant], theme: Theme) -> "Figure | None":
    """The test images as one figure; variants of other images or another size are left out.

    None where several variants have no test images in common with the first.
    """
    reference = variants[0].first
    rows = _chosen(reference, reference.main, montage.MOST_IMAGES)
    shape = reference.targets.shape[1:]
    shown = _sharing(variants, reference.main, rows)
    if len(shown) < min(2, len(variants)):
        return None
    found = [
        (label, np.stack([np.full(shape, np.nan) if image is None else image for image in images]))
        for label, images in _images(variants, shown, reference.main, rows)
        if all(image is None or image.shape == shape for image in images)
    ]
    every = len(shown) == len(variants)
    whose = "every variant" if every else joined([variant.name for variant in shown])
    simulated = all(variant.first.simulated for variant in shown)
    title = f"The same test images by {whose}" + (" (simulated data)" if simulated else "")
    names = shortened([reference.names[row] for row in rows], _LONGEST_NAME)
    return montage.draw(found, names, title, theme)


def _chosen(reference: Workdir, split: str, most: int) -> list[int]:
    """Rows of the first variant to show, evenly spaced from its best to its worst."""
    return pictures.spread(pictures.ranked(reference, split), most).tolist()


def _sharing(variants: Sequence[Variant], split: str, rows: Sequence[int]) -> list[Variant]:
    """The variants that reconstructed any of these images."""
    return [
        variant
        for variant in variants
        if any(image is not None for image in _made(variants[0].first, variant, split, rows))
    ]


def _images(
    variants: Sequence[Variant], shown: Sequence[Variant], split: str, rows: Sequence[int]
) -> list[tuple[str, list[np.ndarray | None]]]:
    """Target images, what some variants made of them, and the first variant's baselines."""
    reference = variants[0].first
    found: list[tuple[str, list[np.ndarray | None]]] = [
        (distinguished("target", variants, "images"), [reference.targets[row] for row in rows])
    ]
    for variant in shown:
        label = variant.name + simulated_mark(variant, variants)
        found.append((label, _made(reference, variant, split, rows)))
    methods = {variant.first.run.get("method") for variant in shown}
    for name, stack in reference.baselines.items():
        if name in methods:  # as "ridge": shown already
            continue
        chosen = [stack[row] for row in rows]
        made = [image if np.isfinite(image).all() else None for image in chosen]
        found.append((distinguished(baseline(name).label, variants, "baseline"), made))
    return found


def _made(
    reference: Workdir, variant: Variant, split: str, rows: Sequence[int]
) -> list[np.ndarray | None]:
    """What a variant made of images of the reference, None of those that it was not tested on."""
    run = variant.first
    name = run.main if split == reference.main else split
    return [_made_of(reference, row, run, name) for row in rows]


def _made_of(reference: Workdir, row: int, run: Workdir, split: str) -> np.ndarray | None:
    """What a run made of an image, or None where its set has none of that look."""
    rows, target = np.flatnonzero(run.split == split), reference.targets[row : row + 1]
    found = rows[run.stimulus[rows] == reference.stimulus[row]][:1]
    if found.size and same_images(target, run.targets[found]).all():
        return run.reconstructions[found[0]]
    if target.shape[1:] != run.targets.shape[1:]:
        return None
    alike = np.abs(run.targets[rows] - target).max(axis=(1, 2, 3)) < 1e-3
    return run.reconstructions[rows[alike][0]] if alike.any() else None  # under another number


def _picture(image: np.ndarray | None, label: str, side: int) -> pictures.Picture | None:
    """One image for the page."""
    return None if image is None else pictures.Picture(pictures.source(image, side), label, label)
