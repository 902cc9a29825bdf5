"""What can be chosen about a virtual subject."""

import dataclasses
from collections.abc import Callable

import numpy as np

from fmri_jax.config import unknown_name
from fmri_jax.datasets.simulated import areas
from fmri_jax.errors import InputError

FeatureFunction = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class VirtualSubjectConfig:
    """Options of a virtual subject; the defaults follow the protocol of Shen et al. (2019).

    Three settings make subjects whose scores are known beforehand: `noise_ceiling=0` responds to
    nothing, `noise_ceiling=1` responds without noise, and `n_categories=k` tells apart nothing but
    k clusters of images. LOC, FFA and PPA mix AlexNet's activations, which `features` computes:
    'relu4' and 'relu5', each (n, side, side, channels), of images (n, h, w, 3) uint8.
    """

    images: str = "embedded"  # 'embedded', or a folder or zip of photographs
    image_size: int = 64  # px, side of the images in the recording
    n_training: int = 1200  # distinct training images
    training_repeats: int = 5  # trials of each training image
    n_test: int = 50  # distinct test images, none of them in training
    test_repeats: int = 24  # trials of each test image
    shape_repeats: int = 20  # trials of each of 40 artificial shapes (split 'shapes'); 0: none
    letter_repeats: int = 12  # trials of each of 10 letters (split 'letters'); 0: none
    n_voxels: int = 3000  # of all areas together; each area gets its natural share
    areas: tuple[str, ...] = areas.NAMES  # visual areas that are recorded
    noise_ceiling: float = 0.2  # median over voxels of the explainable share of a trial's variance
    shared_noise: float = 0.2  # share of the noise variance that neighbouring voxels have in common
    drift: float = 0.1  # share of the noise variance that drifts slowly over the recording
    n_categories: int = 0  # above 0: voxels tell only which of so many clusters an image is in
    seed: int = 0  # of the subject, the choice of images, the order of trials and the noise
    features: FeatureFunction | None = None  # images (n, h, w, 3) uint8 -> relu4, relu5

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise InputError(f"{name} is {value}: expected at least {least}.")
        if self.n_categories == 1 or self.n_categories > self.n_training:
            raise InputError(
                f"n_categories is {self.n_categories}: expected 0 (every detail counts), or "
                f"between 2 and n_training ({self.n_training})."
            )
        for name in ("noise_ceiling", "shared_noise", "drift"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"{name} is {getattr(self, name)}: expected a share between 0 and 1."
                )
        if self.shared_noise + self.drift > 1:
            raise InputError(
                f"shared_noise + drift is {self.shared_noise + self.drift:g}: both are shares of "
                "the same noise, so expected at most 1 together."
            )
        if self.features is not None and not callable(self.features):
            raise InputError(
                f"features is {self.features!r}: expected a function from images to "
                "{'relu4', 'relu5'}."
            )
        self._check_areas()

    def _check_areas(self) -> None:
        for name in self.areas:
            if name not in areas.NAMES:
                raise InputError(unknown_name(f"areas: {name!r}", name, areas.NAMES, "area"))
        if not self.areas or len(set(self.areas)) < len(self.areas):
            raise InputError(
                f"areas is {self.areas}: expected one or more of {', '.join(areas.NAMES)}, each "
                "once."
            )
        if self.n_voxels < len(self.areas):
            raise InputError(
                f"n_voxels is {self.n_voxels} for {len(self.areas)} areas: expected at least one "
                "voxel an area."
            )
        higher = [name for name in self.areas if areas.TABLE[name].higher]
        if higher and not self.n_categories and self.features is None:
            raise InputError(
                f"areas includes {', '.join(higher)}, which mix deep image features, but features "
                "is not given: pass a function from images to {'relu4', 'relu5'}, or choose only "
                f"early areas ({', '.join(areas.EARLY)})."
            )


_LEAST = {
    "image_size": 8,
    "n_training": 2,
    "training_repeats": 1,
    "n_test": 1,
    "test_repeats": 1,
    "shape_repeats": 0,
    "letter_repeats": 0,
    "n_categories": 0,
    "seed": 0,
}
