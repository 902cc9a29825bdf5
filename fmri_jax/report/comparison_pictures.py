"""The same images as every variant of a comparison reconstructed them."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fmri_jax.report import montage, pictures
from fmri_jax.report.likeness import same_pictures
from fmri_jax.report.theme import Theme
from fmri_jax.report.variants import Variant, told_apart
from fmri_jax.report.workdir import Workdir

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_IMAGES = 12  # columns, evenly spaced over the first variant's ranking


@dataclasses.dataclass(frozen=True)
class Strips:
    """One image set: a strip of pictures for each variant, None where a variant has no picture."""

    split: str
    names: tuple[str, ...]
    strips: tuple[tuple[str, tuple[pictures.Picture | None, ...]], ...]


def strips(variants: Sequence[Variant]) -> list[Strips]:
    """For each test set of the first variant what every variant made of the same images."""
    reference = variants[0].first
    rows = {split: _chosen(reference, split, MOST_IMAGES) for split in reference.test_sets}
    side = pictures.affordable_side(reference, sum(map(len, rows.values())) * (len(variants) + 2))
    return [
        Strips(
            split,
            tuple(reference.names[row] for row in chosen),
            tuple(
                (label, tuple(_picture(image, label, side) for image in images))
                for label, images in _images(variants, split, chosen)
            ),
        )
        for split, chosen in rows.items()
    ]


def figure(variants: Sequence[Variant], theme: Theme) -> "Figure":
    """The test images as one figure; variants of another image size are left out."""
    reference = variants[0].first
    rows = _chosen(reference, reference.main, montage.MOST_IMAGES)
    shape = reference.targets.shape[1:]
    found = [
        (label, np.stack([np.full(shape, np.nan) if image is None else image for image in images]))
        for label, images in _images(variants, reference.main, rows)
        if all(image is None or image.shape == shape for image in images)
    ]
    simulated = any(variant.first.simulated for variant in variants)
    title = "The same test images by every variant" + (" (simulated data)" if simulated else "")
    return montage.draw(found, [reference.names[row] for row in rows], title, theme)


def _chosen(reference: Workdir, split: str, most: int) -> list[int]:
    """Rows of the first variant to show, evenly spaced from its best to its worst."""
    return pictures.spread(pictures.ranked(reference, split), most).tolist()


def _images(
    variants: Sequence[Variant], split: str, rows: Sequence[int]
) -> list[tuple[str, list[np.ndarray | None]]]:
    """What was seen, what each variant made of it, and the first variant's ridge baseline."""
    reference = variants[0].first
    found: list[tuple[str, list[np.ndarray | None]]] = [
        (told_apart("seen", variants, "images"), [reference.targets[row] for row in rows])
    ]
    for variant in variants:
        run = variant.first
        name = run.main if split == reference.main else split
        found.append((variant.name, [_made_of(reference, row, run, name) for row in rows]))
    if reference.ridge is not None:
        ridge = [reference.ridge[row] for row in rows]
        made = [image if np.isfinite(image).all() else None for image in ridge]
        found.append((told_apart("ridge", variants, "baseline"), made))
    return found


def _made_of(reference: Workdir, row: int, run: Workdir, split: str) -> np.ndarray | None:
    """What a run made of an image, or None where its set has none of that number and look."""
    same_number = run.stimulus == reference.stimulus[row]
    found = np.flatnonzero((run.split == split) & same_number)[:1]
    seen = reference.targets[row : row + 1]
    if not found.size or not same_pictures(seen, run.targets[found]).all():
        return None
    return run.reconstructions[found[0]]


def _picture(image: np.ndarray | None, label: str, side: int) -> pictures.Picture | None:
    """One image for the page."""
    return None if image is None else pictures.Picture(pictures.source(image, side), label, label)
