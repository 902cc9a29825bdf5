"""The page of a prior: what it makes of photographs that it has not seen, and what it draws."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmri_jax.report.figures import curves
from fmri_jax.report.figures.pictures import Gallery, Picture, Stack, source
from fmri_jax.report.io.workdir import Curve
from fmri_jax.report.rendering import Chart, draw, render, write_file

_LARGEST = 128  # px of the pictures of the page

_SETS = {"frechet": "Frechet distance ↓", "precision": "Precision ↑", "recall": "Recall ↑"}
_LOSSES = {
    "bits_per_dimension": "Bits per dimension (evidence lower bound)",
    "instance_error": "Squared error under an image's own features",
    "instance_share": "Variance of pixels that the instance explains, noise the rest",
    "instance_share_of_features": "The same of the features that it is told by",
    "noise_error": "Squared error of predicted noise",
}


@dataclasses.dataclass(frozen=True)
class Shown:
    """What stands on the page.

    Attributes:
        title: heading.
        card: of the prior: data, licence, steps and scores.
        facts: label -> value, further lines about the network.
        photographs: (n, size, size, 3), not trained on.
        reconstructions: label -> what was made of them.
        samples: label -> (m, size, size, 3).
        curves: metric -> fold -> training curve.
    """

    title: str
    card: Mapping[str, Any]
    facts: Mapping[str, str]
    photographs: np.ndarray
    reconstructions: Mapping[str, np.ndarray]
    samples: Mapping[str, np.ndarray]
    curves: dict[str, dict[str, Curve]] = dataclasses.field(default_factory=dict)


def write(path: pathlib.Path, shown: Shown) -> pathlib.Path:
    """Writes one self-contained page, and the training curves into `figures` beside it.

    Args:
        path: of the page; its folder exists.
        shown: what stands on it.

    Returns:
        The path.
    """
    scores = shown.card.get("scores", {})
    values = {
        "title": shown.title,
        "headlines": _headlines(scores),
        "stacks": _gallery(shown),
        "samples": [
            (label, [source(image, _LARGEST) for image in images])
            for label, images in shown.samples.items()
        ],
        "reconstructed": _reconstruction_rows(scores, list(shown.reconstructions)),
        "sets": _set_rows(scores),
        "set_heads": list(_SETS.values()),
        "n_scored": scores.get("photographs"),
        "curves": _curves(path.parent / "figures", shown),
        "facts": [*shown.facts.items(), *_card_lines(shown.card)],
    }
    return write_file(path, render("prior.html", values))


def _headlines(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The large figures: label and value."""
    found = {
        "PSNR of reconstructions": _number(scores.get("psnr"), ".1f", " dB"),
        "SSIM of reconstructions": _number(scores.get("ssim"), ".3f"),
        **{label: _number(scores.get(name), ".2f") for name, label in _LOSSES.items()},
    }
    return [(label, text) for label, text in found.items() if text]


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value:{form}}{unit}"


def _gallery(shown: Shown) -> Gallery:
    """Each photograph above what was made of it."""
    layers = {"photograph": shown.photographs, **shown.reconstructions}
    stacks = []
    for row in range(len(shown.photographs)):
        pictures = tuple(
            Picture(source(images[row], _LARGEST), f"{kind}: photograph {row + 1}", kind)
            for kind, images in layers.items()
        )
        stacks.append(Stack(str(row + 1), pictures, ""))
    return Gallery("held out", tuple(stacks), len(stacks))


def _reconstruction_rows(
    scores: Mapping[str, Any], labels: list[str]
) -> list[tuple[str, str, str]]:
    """Which latents, PSNR and SSIM; labels stand in the order of the scores."""
    if "psnr" not in scores:
        return []
    found = [scores, *scores.get("first_blocks", {}).values()]
    return [
        (label, _number(each["psnr"], ".2f"), _number(each["ssim"], ".3f"))
        for label, each in zip(labels, found, strict=True)
    ]


def _set_rows(scores: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Which images, and their scores as a set."""
    return [
        (name, [_number(each.get(key), ".2f" if key == "frechet" else ".3f") for key in _SETS])
        for name, each in scores.get("sets", {}).items()
    ]


def _curves(folder: pathlib.Path, shown: Shown) -> Chart | None:
    """The training curves; None where nothing changes."""
    found = curves.shown(shown.curves)
    if not found:
        return None
    folder.mkdir(exist_ok=True)
    alt = "Training curves: " + ", ".join(map(curves.title, found))
    return draw(folder / "curves.png", alt, lambda theme: curves.panels(found, theme), "")


def _card_lines(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The card but for its scores, as pairs for a definition list."""
    found = []
    for name, value in card.items():
        if name == "scores" or value in (None, "", []):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        found.append((name.replace("_", " ").capitalize(), text))
    return found
