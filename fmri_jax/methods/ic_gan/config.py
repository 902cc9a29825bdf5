"""The options of IC-GAN."""

import dataclasses
import math
from typing import Literal

from fmri_jax.config import OptionalFloat, OptionalStr
from fmri_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of IC-GAN.

    Attributes:
        prior: the generator: a name of `fmri_jax.priors`, or a folder that `fmri-jax prior train`
            left.
        prior_weights: file of a published generator's weights; None: downloaded ones.
        instance: whose features the generator is told: those decoded, at unit length, or those of
            the nearest real image.
        instances: folder or zip of photographs among which the nearest is sought; None: the
            training images.
        noise: the noise vector: drawn (one for all rows of a sample), all zeros, or decoded as
            published.
        first: the activations of the generator's first dense layer: those of the noise, or
            decoded as published, which holds the layout.
        alpha: ridge penalty of instance features on standardised voxels; None: by the exact error
            of leaving a stimulus out. Published: 500.
        noise_alpha: the same of decoded noise. Published: 1.
        first_alpha: the same of decoded activations. Published: 100.
        gain: whether the shrinking of what is decoded is undone by factors learned out of fold.
        truncation: standard deviation of noise that is drawn; None: that of the prior.
        inversion_steps: by which noise and activations of each training image are found, where
            they are decoded; 0: the noise of the prior's encoder, which only a generator of latents
            has.
        n_samples: images that are drawn for each row of responses.
        choice: what becomes of them: the first, their mean, or the one whose responses, predicted
            by an encoding model of the training trials, are nearest to those measured.
        seed: of all draws.
    """

    prior: str = "small_ic_gan"
    prior_weights: OptionalStr = None
    instance: Literal["decoded", "nearest"] = "decoded"
    instances: OptionalStr = None
    noise: Literal["drawn", "zeros", "decoded"] = "drawn"
    first: Literal["noise", "decoded"] = "noise"
    alpha: OptionalFloat = None
    noise_alpha: OptionalFloat = None
    first_alpha: OptionalFloat = None
    gain: Literal["out_of_fold", "none"] = "out_of_fold"
    truncation: OptionalFloat = None
    inversion_steps: int = 0
    n_samples: int = 1
    choice: Literal["first", "mean", "responses"] = "first"
    seed: int = 0

    def __post_init__(self) -> None:
        """Rejects values that nothing can be made with."""
        if self.n_samples < 1:
            raise InputError(f"config.method.n_samples is {self.n_samples}: expected >= 1.")
        if self.n_samples > 1 and self.noise != "drawn":
            raise InputError(
                f"config.method.noise is {self.noise!r}, of which all {self.n_samples} samples "
                "would be the same: expected n_samples=1, or noise='drawn'."
            )
        for name in ("alpha", "noise_alpha", "first_alpha", "truncation", "inversion_steps"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise InputError(f"config.method.{name} is {value}: expected >= 0.")
        if self.first == "decoded" and not self.inversion_steps:
            raise InputError(
                "config.method.first is 'decoded' and inversion_steps is 0: expected steps, such "
                "as 300, that find the activations of the training images."
            )

    @property
    def decodes_noise(self) -> bool:
        """Whether anything but the instance is decoded."""
        return self.noise == "decoded" or self.first == "decoded"
