"""The options of Brain-Diffuser."""

import dataclasses
import math
from typing import Literal

from fmri_jax.config import OptionalFloat, OptionalInt, OptionalStr
from fmri_jax.errors import InputError

Stages = Literal["both", "first", "second"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of Brain-Diffuser.

    Attributes:
        prior: the very deep VAE of the first stage: a name of `fmri_jax.priors`, or a folder that
            `fmri-jax prior train` left.
        prior_weights: file of a published prior's weights; None: downloaded ones.
        n_layers: blocks of the VAE's decoder, coarse to fine, whose latents are decoded; the others
            follow from the prior. None: all. Published: 31 of 75.
        latents: whether they are posterior means or, as published, draws from the posterior.
        alpha: ridge penalty of latents on standardised voxels; None: that of each block by the
            exact error of leaving a stimulus out. Published: 50,000.
        gain: whether the shrinking of what is decoded is undone by factors learned out of fold, of
            latents up to 2 (`method.LATENT_GAIN`).
        temperature: of the latents that follow from the prior; 0: their means. Published: 1.
        pixels: whether the VAE's pixels are means or, as published, draws of their distributions.
        stages: which of the two stages make the image. The second, with the package's own prior,
            needs the extra `efficientnet`, and `text` where there are captions or names.
        diffusion: the latent diffusion model of the second stage, named as `prior`.
        diffusion_weights: folder of a published model's weights.
        image_alpha: ridge penalty of image embeddings; None: as `alpha`. Published: 60,000.
        text_alpha: the same of text embeddings. Published: 100,000.
        strength: share of the diffusion that the image of the first stage goes through; 1 forgets
            it.
        n_steps: of the diffusion, before `strength` leaves some out.
        guidance: of classifier-free guidance; 1: none.
        image_share: of the image embedding beside the text embedding, where there are both; 1: no
            text is decoded.
        n_samples: images that are drawn for each row of responses.
        choice: what becomes of them: the first, their mean, or the one whose responses, predicted
            by an encoding model of the training trials, are nearest to those measured.
        seed: of all draws.
    """

    prior: str = "small_vdvae"
    prior_weights: OptionalStr = None
    n_layers: OptionalInt = None
    latents: Literal["mean", "sample"] = "mean"
    alpha: OptionalFloat = None
    gain: Literal["out_of_fold", "none"] = "out_of_fold"
    temperature: float = 0.0
    pixels: Literal["mean", "sample"] = "mean"
    stages: Stages = "both"
    diffusion: str = "small_latent_diffusion"
    diffusion_weights: OptionalStr = None
    image_alpha: OptionalFloat = None
    text_alpha: OptionalFloat = None
    strength: float = 0.75
    n_steps: int = 50
    guidance: float = 7.5
    image_share: float = 0.6
    n_samples: int = 1
    choice: Literal["first", "mean", "responses"] = "first"
    seed: int = 0

    def __post_init__(self) -> None:
        """Rejects values that nothing can be made with."""
        for name in ("n_steps", "n_samples", "n_layers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"config.method.{name} is {value}: expected >= 1.")
        for name in ("alpha", "image_alpha", "text_alpha", "temperature", "guidance"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise InputError(f"config.method.{name} is {value}: expected >= 0.")
        for name in ("strength", "image_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"config.method.{name} is {getattr(self, name)}: expected a share, 0 to 1."
                )
