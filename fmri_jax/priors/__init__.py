"""Priors: what images look like, learned from photographs that nobody viewed in a scanner.

    import fmri_jax as fj

    prior = fj.priors.load("small_vdvae")
    prior.decode(prior.encode(images))  # images (n, h, w, 3) in [0, 1]; deterministic

A prior encodes images as latents, decodes latents to images, and draws images of its own.
`fmri-jax prior train` makes one of a lab's own photographs.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from fmri_jax.priors.registry import load, names

__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={"registry": ["load", "names"]})
__all__ = ["load", "names"]
