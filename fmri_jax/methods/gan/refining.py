"""What a generator that refines is given: images that ridge makes of the responses.

The linear map finds layout and colours from few trials; what it blurs, images have in common
wherever they lie, and convolutions learn it from few of them. In training each image is that of a
map without its stimulus, which is as far from the truth as the image of a new response.
"""

import dataclasses

import jax
import jax.numpy as jnp

from fmri_jax.data.preparation.folds import Trials
from fmri_jax.evaluation.ridge import RidgeBaseline, left_out_images, ridge

SHIFT = 4  # px, by which images are shifted at most: AlexNet's stride, whose grid would be learned


def start_from_ridge(trials: Trials) -> tuple[RidgeBaseline, Trials]:
    """Ridge, and the trials with its images, (n, height x width x channels), for responses.

    Raises:
        InputError: the trials show fewer than two stimuli.
    """
    fitted = ridge(trials.fmri, trials.stimulus, trials.images, average=False)
    shown = trials.images[trials.stimulus]
    images = left_out_images(fitted, trials.fmri, shown, trials.stimulus)
    return fitted, dataclasses.replace(trials, fmri=images.reshape(len(images), -1))


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


def cut_centre(images: jax.Array, size: int) -> jax.Array:
    """The central square of images (n, h, w, c)."""
    top, left = ((side - size) // 2 for side in images.shape[1:3])
    return images[:, top : top + size, left : left + size]
