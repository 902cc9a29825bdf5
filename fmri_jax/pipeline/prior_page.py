"""What the page of a prior shows, made with the prior."""

import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from fmri_jax.arrays import as_images
from fmri_jax.pipeline import collapse
from fmri_jax.priors import scores
from fmri_jax.report import prior_page
from fmri_jax.report.io.workdir import Curve

N_PHOTOGRAPHS, N_SAMPLES = 12, 24


def write(
    path: pathlib.Path,
    prior: Any,
    photographs: np.ndarray,
    title: str,
    key: jax.Array,
    curves: dict[str, dict[str, Curve]] | None = None,
) -> pathlib.Path:
    """Writes the page of a prior.

    Args:
        path: of the page; its folder exists.
        prior: with `card`, such as `priors.vdvae.prior.VDVAEPrior`.
        photographs: (n, size, size, 3) that it was not trained on; the first are shown.
        title: heading.
        key: of the samples.
        curves: of its training.

    Returns:
        The path.
    """
    shown = as_images(photographs[:N_PHOTOGRAPHS], "photographs")
    made = {_label(prior, k): images for k, images in scores.reconstructions(prior, shown)}
    # As often as needed: conditions are a photograph's, everything else needs their number alone.
    given = photographs[np.arange(N_SAMPLES) % len(photographs)]
    drawn = scores.samples(prior, given, key)
    samples = {name[:1].upper() + name[1:]: images for name, images in drawn}
    facts = {
        "Image size": f"{prior.image_size} px",
        "Parameters": f"{sum(array.size for array in jax.tree.leaves(prior.params)):,}",
        "Latents": ", ".join(" × ".join(map(str, shape)) for shape in _latent_shapes(prior)),
    }
    if collapsed := collapse.of_prior(samples, shown, curves or {}):
        facts["Collapse"] = " ".join(collapsed)
    page = prior_page.Shown(title, prior.card, facts, shown, made, samples, curves or {})
    return prior_page.write(path, page)


def _label(prior: Any, k: int) -> str:
    """Which latents a reconstruction was made of."""
    heights = {count: height for height, count in scores.resolutions(prior).items()}
    n = max(heights, default=1)
    return "all latents" if k == n else f"first {k} of {n}, up to {heights[k]} × {heights[k]}"


def _latent_shapes(prior: Any) -> Sequence[tuple[int, ...]]:
    blocks = getattr(prior, "latent_shapes", None)
    return blocks or [prior.config.latent_shape]
