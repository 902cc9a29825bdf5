"""Pixels by local decoders of large elements (Miyawaki et al. 2008), blurred over their edges.

Each part of the image is decoded from few voxels of its own. That suits areas of small receptive
fields, and images of which few trials are known; no detail is decoded.
"""

import dataclasses
from typing import Any, ClassVar

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import convolve1d

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.errors import InputError
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.methods import local_decoders
from fmri_jax.methods.blocks import in_blocks
from fmri_jax.methods.costs import Cost, FoldSize
from fmri_jax.methods.local_decoders import method as local_method
from fmri_jax.methods.local_decoders import options as local_options
from fmri_jax.methods.local_decoders.method import LocalReconstructor
from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of

ELEMENTS = 8  # on a side of the image: finer ones are decoded too badly


@flax.struct.dataclass
class LocalPixels:
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
    def restore(cls, tree: dict[str, Any], options: dict[str, Any]) -> "LocalPixels":
        """The decoders whose `state` gave these."""
        return cls(LocalReconstructor.restore(tree, options))

    @classmethod
    def fit(cls, trials: Trials) -> tuple["LocalPixels", np.ndarray]:
        """From averages of the trials of each stimulus; and its images of these stimuli, left out.

        Inner folds leave out together what a recording says belongs together.
        """
        rows, seen = average_by_stimulus(trials.fmri, trials.stimulus)
        images = trials.images[seen].astype(np.float32) / np.float32(255)
        groups = groups_of(images) if trials.together is None else trials.together[seen]
        if len(np.unique(groups)) < 2:
            raise InputError(
                "local decoders are to make images of training stimuli that they have not seen, "
                "and these are all the same or of one group: expected at least two groups. Ridge "
                "(config.method.start=ridge of the GAN, pixel_decoder=ridge of feature decoding) "
                "leaves single stimuli out."
            )
        training = TrainingSet(rows, images, groups)
        config = local_config(*images.shape[1:3])
        # Equal weights draw nothing at random.
        found = cls(local_method.fit(training, config, jax.random.key(0)))
        return found, found._smooth(local_method.left_out(training, found.decoders))

    @classmethod
    def cost(cls, size: FoldSize) -> Cost:
        """What a fit takes, inner folds included, as where weights are learned."""
        config = dataclasses.replace(local_config(*size.image[:2]), weights="learned")
        averages = size._replace(rows=size.stimuli)
        return local_decoders.cost(config, averages) or Cost(0, 0)


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


def _box(width: int) -> np.ndarray:
    """Weights of a moving average about its centre; the outer ones are halves if it is even."""
    if width % 2:
        return np.full(width, 1 / width)
    return np.array([0.5, *[1] * (width - 1), 0.5]) / width
