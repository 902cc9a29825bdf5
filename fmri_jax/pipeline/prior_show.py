"""Shows what a prior makes of photographs: a page, with scores of these photographs."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import jax

from fmri_jax.pipeline import prior_page
from fmri_jax.priors import photographs, scores


def show(
    prior: Any, images: Sequence[str], page: pathlib.Path, title: str, n_images: int, seed: int = 0
) -> pathlib.Path:
    """Writes the page of a prior for some photographs, whose scores stand in the card's place.

    Args:
        prior: such as `priors.vdvae.prior.VDVAEPrior`.
        images: folders and zips of photographs.
        page: the path of the page; its folder exists.
        title: heading.
        n_images: how many photographs are scored at most, drawn at random.
        seed: of that draw, and of the samples.

    Returns:
        The path.

    Raises:
        InputError: the photographs cannot be read.
    """
    found = photographs.read(images, prior.image_size, limit=n_images, seed=seed)
    of_these = {"photographs": len(found), **scores.of_reconstructions(prior, found)}
    card = {**prior.card, "shown_here": photographs.names_of(images), "scores": of_these}
    prior = dataclasses.replace(prior, card=card)
    return prior_page.write(page, prior, found, title, jax.random.key(seed))
