"""The page of reconstructions that nothing can be compared with, as of imagery."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fmri_jax.data import modality
from fmri_jax.report.figures.pictures import MOST_IMAGES, PIXEL_BUDGET_BYTES, source, to_uint8
from fmri_jax.report.rendering import render, write_file

__all__ = ["to_uint8", "write"]


def write(
    path: pathlib.Path,
    images: np.ndarray,
    names: Sequence[str],
    title: str,
    remarks: Sequence[str],
    data: Mapping[str, Any],
) -> pathlib.Path:
    """Writes one self-contained page.

    Args:
        path: of the page.
        images: (n, h, w, c) in [0, 1].
        names: one name per image.
        title: heading.
        remarks: warnings for the reader.
        data: what `run.json` says of the data.

    Returns:
        The path.
    """
    shown = range(min(len(images), MOST_IMAGES))
    worst = PIXEL_BUDGET_BYTES / max(len(shown), 1) / images.shape[-1]
    side = max(min(max(images.shape[1:3]), int(worst**0.5)), 16)
    facts = {
        "Responses": data.get("name"),
        "Description": data.get("description"),
        "Origin": "simulated, no brain was scanned" if data.get("simulated") else "recorded",
        "Trials": data.get("trials"),
        "Voxels": data.get("voxels"),
        "Region": data.get("roi"),
        "Fingerprint": data.get("fingerprint"),
    }
    words = modality.words(data.get("modality"))
    values = {
        "title": title,
        "simulated": bool(data.get("simulated")),
        "remarks": remarks,
        "pictures": [(names[i], source(images[i], side)) for i in shown],
        "n_images": len(images),
        "pixelated": max(images.shape[1:3]) <= 32,
        "facts": [(label, str(value)) for label, value in facts.items() if value],
    }
    return write_file(path, render("images.html", values, words))
