"""What a generator that refines is given: images that ridge makes of the responses.

The linear map finds layout and colours from few trials; what it blurs, images have in common
wherever they lie, and convolutions learn it from few of them. In training each image is that of a
map without its stimulus: of stimuli that a map has seen it makes better images than of new ones.

Each octave of spatial frequency has a penalty of its own (`linear.pixel_bands`). As for all linear
maps averages of many test trials are not to be enlarged (`preparation.noise_scaling=False`).
"""

import dataclasses
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.linear import pixel_bands, target_map
from fmri_jax.linear.target_map import TargetMap
from fmri_jax.methods import averages

SHIFT = 4  # px, by which images are shifted at most: AlexNet's stride, whose grid would be learned


@flax.struct.dataclass
class Start:
    """Ridge regression from responses to whole images, octave by octave.

    Attributes:
        images: (stimuli, h, w, c) uint8, of training.
        map: responses -> coefficients of each octave.
    """

    images: Any
    map: TargetMap

    @property
    def n_voxels(self) -> int:
        """How many voxels it takes."""
        return len(self.map.map.voxel_mean)

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

    def state(self) -> dict[str, Any]:
        """Arrays by name, as nested dicts; the coefficients are computed from the images again."""
        return {"images": self.images, "map": target_map.state(self.map, tuple(self.map.targets))}

    @classmethod
    def restore(cls, tree: dict[str, Any]) -> "Start":
        """The map whose `state` gave these."""
        images = np.asarray(tree["images"])
        return cls(images, target_map.restore(tree["map"], _coefficients(images)))


def fit(trials: Trials) -> tuple[Start, Trials]:
    """Learns from averages of the trials of each stimulus.

    Returns:
        The map, and one row per stimulus with ridge's image, (h x w x c,), for responses.

    Raises:
        InputError: the trials show fewer than two stimuli.
    """
    if len(np.unique(trials.stimulus)) < 2:
        raise InputError("ridge found one training stimulus to start from: expected at least two.")
    _, seen, fitted = averages.decomposed(trials)
    images = trials.images[seen]
    targets = {name: np.asarray(part) for name, part in _coefficients(images).items()}
    start = Start(images, target_map.fit(fitted, targets, dict.fromkeys(targets), 1))
    _, first = np.unique(trials.stimulus, return_index=True)
    given = start.of_training().reshape(len(seen), -1)
    return start, dataclasses.replace(trials.take(first), fmri=given)


def _coefficients(images: np.ndarray) -> dict[str, jax.Array]:
    found = pixel_bands.coefficients(np.asarray(images, np.float32) / 255)
    return {name: jnp.asarray(part) for name, part in found.items()}


def moved_together(
    key: jax.Array, given: jax.Array, targets: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Mirrors half of the images, and shifts all by a few pixels, both sides alike.

    Args:
        key: typed key.
        given: (n, h, w, c) ridge's images.
        targets: (n, h, w, c) photographs.
    """
    mirrored, shifted = jax.random.split(key)
    mirror = jax.random.bernoulli(mirrored, 0.5, (len(given), 1, 1, 1))
    place = jax.random.randint(shifted, (2,), 0, 2 * SHIFT + 1)

    def move(images: jax.Array) -> jax.Array:
        images = jnp.where(mirror, images[:, :, ::-1], images)
        around = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
        padded = jnp.pad(images, around, mode="edge")
        return jax.lax.dynamic_slice(padded, (0, place[0], place[1], 0), images.shape)

    return move(given), move(targets)
