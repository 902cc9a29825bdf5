"""Decoders of the pixels that other methods begin with: a generator refines their images, and
images that are optimised to have decoded features start there and stay near.

Linear maps find layout and colours from few trials; what they blur, other methods can add. Each
decoder also says what it makes of every training stimulus without having seen it: of stimuli that a
decoder has seen it makes better images than of new ones.

Two can be asked for. Ridge gives each octave of spatial frequency a penalty of its own
(`linear.pixel_bands`). Local decoders (`local_pixels`) give each part of the image voxels of its
own: less noise where many voxels have small receptive fields, and no detail.

As for all linear maps averages of many test trials are not to be enlarged
(`preparation.noise_scaling=False`).
"""

import dataclasses
from typing import Any, ClassVar, Protocol

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.linear import pixel_bands, target_map
from fmri_jax.linear.target_map import TargetMap
from fmri_jax.methods import averages, ridge
from fmri_jax.methods.costs import Cost, FoldSize
from fmri_jax.methods.local_pixels import LocalPixels


class PixelDecoder(Protocol):
    """A fitted decoder, as other methods use it."""

    name: ClassVar[str]

    @property
    def n_voxels(self) -> int:
        """How many voxels it takes."""

    @property
    def channels(self) -> int:
        """Of the images."""

    def __call__(self, fmri: jax.Array) -> np.ndarray:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c), not clipped."""

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arrays by name, as nested dicts; options."""


@flax.struct.dataclass
class RidgePixels:
    """Ridge regression from responses to whole images, octave by octave.

    Attributes:
        images: (stimuli, h, w, c) uint8, of training.
        map: responses -> coefficients of each octave.
    """

    name: ClassVar[str] = "ridge"
    images: Any
    map: TargetMap

    @property
    def n_voxels(self) -> int:
        """How many voxels it takes."""
        return len(self.map.map.voxel_mean)

    @property
    def channels(self) -> int:
        """Of the images."""
        return self.images.shape[3]

    def __call__(self, fmri: jax.Array) -> np.ndarray:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c), not clipped."""
        height, width = self.images.shape[1:3]
        found = {name: np.asarray(part) for name, part in self.map.decode(fmri).items()}
        return pixel_bands.images_of(found, height, width)

    def of_training(self) -> np.ndarray:
        """(stimuli, h, w, c) what maps make of each training stimulus that have not seen it."""
        fitted, found = self.map, {}
        for name, true in fitted.targets.items():
            mean = fitted.means[name]
            found[name] = np.asarray(mean + fitted.map.left_out(name, true - mean))
        return pixel_bands.images_of(found, *self.images.shape[1:3])

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arrays by name; the coefficients are computed from the images again."""
        arrays = target_map.state(self.map, tuple(self.map.targets))
        return {"images": self.images, "map": arrays}, {}

    @classmethod
    def restore(cls, tree: dict[str, Any], options: dict[str, Any]) -> "RidgePixels":
        """The map whose `state` gave these."""
        images = np.asarray(tree["images"])
        return cls(images, target_map.restore(tree["map"], _coefficients(images)))

    @classmethod
    def fit(cls, trials: Trials) -> tuple["RidgePixels", np.ndarray]:
        """From averages of the trials of each stimulus; and its images of these, left out."""
        _, seen, fitted = averages.decomposed(trials)
        images = trials.images[seen]
        targets = {name: np.asarray(part) for name, part in _coefficients(images).items()}
        found = cls(images, target_map.fit(fitted, targets, dict.fromkeys(targets), 1))
        return found, found.of_training()

    @classmethod
    def cost(cls, size: FoldSize) -> Cost:
        """What a fit takes."""
        return ridge.cost(ridge.Config(), size) or Cost(0, 0)


PIXEL_DECODERS: dict[str, type[RidgePixels] | type[LocalPixels]] = {
    decoder.name: decoder for decoder in (RidgePixels, LocalPixels)
}


def fit(kind: str, trials: Trials) -> tuple[PixelDecoder, np.ndarray]:
    """Learns from averages of the trials of each stimulus, once for all methods that ask.

    Args:
        kind: a name of `PIXEL_DECODERS`.
        trials: of training.

    Returns:
        The decoder, and (stimuli, h, w, c) its images of the training stimuli, in rising order, by
        decoders that have not seen them.

    Raises:
        InputError: the trials show fewer than two stimuli, or groups of them.
    """
    if len(np.unique(trials.stimulus)) < 2:
        raise InputError(
            "pixels (config.method.start, config.method.pixel_decoder) are to be decoded of "
            "training stimuli that a decoder has not seen, and the trials show one: expected at "
            "least two."
        )
    return trials.once(("pixel decoder", kind), lambda: PIXEL_DECODERS[kind].fit(trials))


def in_place_of_responses(images: np.ndarray, trials: Trials) -> Trials:
    """One row per stimulus of the trials, with its image (stimuli, h, w, c) flat for responses."""
    _, first = np.unique(trials.stimulus, return_index=True)
    return dataclasses.replace(trials.take(first), fmri=images.reshape(len(images), -1))


def _coefficients(images: np.ndarray) -> dict[str, jax.Array]:
    found = pixel_bands.coefficients(np.asarray(images, np.float32) / 255)
    return {name: jnp.asarray(part) for name, part in found.items()}
