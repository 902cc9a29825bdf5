"""What a generator that refines is given: images that linear decoders make of the responses.

Linear maps find layout and colours from few trials; what they blur, images have in common wherever
it lies, and convolutions learn it from few of them. In training each image is that of a decoder
without its stimulus: of stimuli that a decoder has seen it makes better images than of new ones.

Two decoders can be asked for. Ridge gives each octave of spatial frequency a penalty of its own
(`linear.pixel_bands`). Local decoders (Miyawaki et al. 2008) give each part of the image voxels of
its own: less noise where many voxels have small receptive fields, and no detail.

As for all linear maps averages of many test trials are not to be enlarged
(`preparation.noise_scaling=False`).
"""

import dataclasses
from typing import Any, ClassVar, Protocol

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import convolve1d

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.linear import pixel_bands, target_map
from fmri_jax.linear.target_map import TargetMap
from fmri_jax.methods import averages
from fmri_jax.methods.blocks import in_blocks
from fmri_jax.methods.local_decoders import method as local_method
from fmri_jax.methods.local_decoders import options as local_options
from fmri_jax.methods.local_decoders.method import LocalReconstructor
from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of

ELEMENTS = 8  # of local decoders, on a side of the image: finer ones are decoded too badly


class Start(Protocol):
    """A fitted decoder, as the generator uses it."""

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
class RidgeStart:
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
    def restore(cls, tree: dict[str, Any], options: dict[str, Any]) -> "RidgeStart":
        """The map whose `state` gave these."""
        images = np.asarray(tree["images"])
        return cls(images, target_map.restore(tree["map"], _coefficients(images)))

    @classmethod
    def fit(cls, trials: Trials, key: jax.Array) -> tuple["RidgeStart", np.ndarray]:
        """From averages of the trials of each stimulus; and the images of these stimuli."""
        _, seen, fitted = averages.decomposed(trials)
        images = trials.images[seen]
        targets = {name: np.asarray(part) for name, part in _coefficients(images).items()}
        start = cls(images, target_map.fit(fitted, targets, dict.fromkeys(targets), 1))
        return start, start.of_training()


@flax.struct.dataclass
class LocalStart:
    """Local decoders of large elements.

    Attributes:
        decoders: responses -> images.
    """

    name: ClassVar[str] = "local"
    decoders: LocalReconstructor

    @property
    def n_voxels(self) -> int:
        """How many voxels it takes."""
        return len(self.decoders.elements.coef)

    @property
    def channels(self) -> int:
        """Of the images."""
        return self.decoders.shape[2]

    def __call__(self, fmri: jax.Array) -> np.ndarray:
        """fMRI (n, voxels), standardised as in training -> images (n, h, w, c), not clipped."""
        return self._smooth(in_blocks(self.decoders.contrast, jnp.asarray(fmri)))

    def _smooth(self, images: Any) -> np.ndarray:
        """Images (n, h, w, c) blurred over one stride, so that edges of elements do not show."""
        kernel, found = _box(self.decoders.config.stride), np.asarray(images)
        for axis in (1, 2):
            found = convolve1d(found, kernel, axis, mode="nearest")
        return found

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arrays by name; options."""
        return self.decoders.state()

    @classmethod
    def restore(cls, tree: dict[str, Any], options: dict[str, Any]) -> "LocalStart":
        """The decoders whose `state` gave these."""
        return cls(LocalReconstructor.restore(tree, options))

    @classmethod
    def fit(cls, trials: Trials, key: jax.Array) -> tuple["LocalStart", np.ndarray]:
        """From averages of the trials of each stimulus; and the images of these stimuli.

        Inner folds leave out together what a recording says belongs together.
        """
        rows, seen = average_by_stimulus(trials.fmri, trials.stimulus)
        images = trials.images[seen].astype(np.float32) / np.float32(255)
        groups = groups_of(images) if trials.together is None else trials.together[seen]
        if len(np.unique(groups)) < 2:
            raise InputError(
                "local decoders (config.method.start=local) are to make images of training stimuli "
                "that they have not seen, and these are all the same or of one group: expected at "
                "least two groups; start=ridge leaves single stimuli out."
            )
        training = TrainingSet(rows, images, groups)
        config = local_config(*images.shape[1:3])
        start = cls(local_method.fit(training, config, key))
        return start, start._smooth(local_method.left_out(training, start.decoders))


def local_config(height: int, width: int) -> local_options.Config:
    """Elements of an eighth of the image, each half over the next, of 20 voxels each.

    Chosen on photographs that were left out of training (simulated subject): the squared error is
    that of elements at every pixel, .0129, in a ninth of the time; less once smoothed.
    """
    side = max(1, min(height, width) // ELEMENTS)
    return local_options.Config(
        scales=((side, side),),
        stride=max(1, side // 2),
        n_voxels=300,
        n_nonzero=20,
        weights="equal",
        n_inner=5,
    )


STARTS: dict[str, type[RidgeStart] | type[LocalStart]] = {
    start.name: start for start in (RidgeStart, LocalStart)
}


def fit(kind: str, trials: Trials, key: jax.Array) -> tuple[Start, Trials]:
    """Learns from averages of the trials of each stimulus.

    Args:
        kind: a name of `STARTS`.
        trials: of training.
        key: random key.

    Returns:
        The decoder, and one row per stimulus with its image, (h x w x c,), for responses.

    Raises:
        InputError: the trials show fewer than two stimuli.
    """
    if len(np.unique(trials.stimulus)) < 2:
        raise InputError(
            "the generator is to refine images of linear decoders, which found one training "
            "stimulus: expected at least two."
        )
    start, left_out = STARTS[kind].fit(trials, key)
    _, first = np.unique(trials.stimulus, return_index=True)
    given = left_out.reshape(len(left_out), -1)
    return start, dataclasses.replace(trials.take(first), fmri=given)


def _box(width: int) -> np.ndarray:
    """Weights of a moving average about its centre; the outer ones are halves if it is even."""
    if width % 2:
        return np.full(width, 1 / width)
    return np.array([0.5, *[1] * (width - 1), 0.5]) / width


def _coefficients(images: np.ndarray) -> dict[str, jax.Array]:
    found = pixel_bands.coefficients(np.asarray(images, np.float32) / 255)
    return {name: jnp.asarray(part) for name, part in found.items()}
