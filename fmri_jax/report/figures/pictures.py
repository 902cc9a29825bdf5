"""Target images beside what was made of them, as small PNGs for a page."""

import dataclasses
import io
import math

import numpy as np

from fmri_jax.evaluation import registry
from fmri_jax.evaluation.baselines import baseline
from fmri_jax.report.io.workdir import Workdir
from fmri_jax.report.rendering import data_address

# All small images together: the page stays under 8 MB with its charts and base64's third more.
PIXEL_BUDGET_BYTES = 4_000_000
MOST_IMAGES = 200  # of one test set; the page says when there are more
TRAIN_IMAGES = 10


@dataclasses.dataclass(frozen=True)
class Picture:
    """One image of the page."""

    src: str
    alt: str
    kind: str


@dataclasses.dataclass(frozen=True)
class Stack:
    """A target image with everything that was made of it, and its scores."""

    name: str
    pictures: tuple[Picture, ...]
    value: str
    scores: tuple[tuple[str, str], ...] = ()
    rank: str = ""


@dataclasses.dataclass(frozen=True)
class Gallery:
    """All images of one test set, from the best to the worst."""

    split: str
    stacks: tuple[Stack, ...]
    n_rows: int


def galleries(run: Workdir) -> list[Gallery]:
    """One gallery per test set that was seen, and a few training images if the run kept any."""
    chosen = {split: spread(ranked(run, split), MOST_IMAGES) for split in run.seen_sets}
    chosen["train"] = spread(ranked(run, "train"), TRAIN_IMAGES)
    n_pictures = sum(map(len, chosen.values())) * len(layers(run))
    side = affordable_side(run, n_pictures)
    return [
        Gallery(split, tuple(stack(run, row, side) for row in rows), len(run.rows(split)))
        for split, rows in chosen.items()
        if len(rows)
    ]


def highlights(run: Workdir) -> list[Stack]:
    """The best, the median and the worst reconstruction by pixel correlation, at full size."""
    order = ranked(run, run.main)
    places = {"best": 0, "median": (len(order) - 1) // 2, "worst": len(order) - 1}
    if len(order) < 3:
        places = {"best": 0, "worst": 1} if len(order) == 2 else {"only": 0}
    side = min(max(run.targets.shape[1:3]), 256)
    return [stack(run, order[i], side, rank) for rank, i in places.items()]


def ranked(run: Workdir, split: str) -> np.ndarray:
    """Rows of a set from the highest pixel correlation to the lowest."""
    rows = run.rows(split)
    return rows[np.argsort(-run.pixel_correlation[rows], kind="stable")]


def stack(run: Workdir, row: int, side: int, rank: str = "") -> Stack:
    """The pictures and scores of one row."""
    name = run.names[row]
    value = registry.metric("pixel_correlation").text(float(run.pixel_correlation[row]))
    scored = run.scores.by_row[row].scores if row in run.scores.by_row else {}
    listed = tuple(
        (registry.metric(metric).label, registry.metric(metric).text(scored[metric]))
        for metric in registry.ordered(set(scored) & set(run.scores.test))
    )
    pictures = []
    for kind, images in layers(run).items():
        if np.isfinite(images[row]).all():
            alt = f"{kind}: {name}" + (f", correlation {value}" if kind == "reconstructed" else "")
            pictures.append(Picture(source(images[row], side), alt, kind))
    return Stack(name, tuple(pictures), value, listed, rank)


def layers(run: Workdir) -> dict[str, np.ndarray]:
    """What is shown side by side for each row: label -> (n, h, w, c)."""
    found = {"target": run.targets, "reconstructed": run.reconstructions}
    if run.binary:
        found["cut at 0.5"] = (run.reconstructions > 0.5).astype(np.float32)
    found |= run.beside
    return found | {baseline(name).label: images for name, images in run.baselines.items()}


def source(image: np.ndarray, side: int) -> str:
    """An image (h, w, c) in [0, 1] as a data address, scaled down to at most `side` pixels."""
    from PIL import Image

    picture = Image.fromarray(to_uint8(image))
    if max(picture.size) > side:
        scale = side / max(picture.size)
        size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return data_address(buffer.getvalue())


def to_uint8(image: np.ndarray) -> np.ndarray:
    """(h, w, 1 or 3) in [0, 1] -> (h, w) or (h, w, 3) uint8."""
    pixels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def affordable_side(run: Workdir, n_pictures: int) -> int:
    """The largest side at which all small images fit the budget even if nothing compresses."""
    worst = PIXEL_BUDGET_BYTES / max(n_pictures, 1) / run.targets.shape[-1]
    return max(min(max(run.targets.shape[1:3]), math.isqrt(int(worst))), 16)


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the rows, evenly over their order, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
