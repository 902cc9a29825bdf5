"""What a user of the estimator gives, as the method needs it, or one sentence."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from fmri_jax.errors import InputError
from fmri_jax.methods.local_decoders.bases import is_length, members

LARGEST_SEED = 2**32 - 1
ROUNDING = 1e-3  # how far resized images may lie outside [0, 1]


def as_images(y: np.ndarray, image_shape: Any) -> np.ndarray:
    """(n, height, width, channels) of images in any shape.

    Args:
        y: (n, pixels), (n, height, width) or (n, height, width, channels).
        image_shape: (height, width) or (height, width, channels); None takes that of `y`, a square
            number of pixels as a square image and any other as an image of one row.
    """
    shape = y.shape[1:] if image_shape is None else members(image_shape)
    if image_shape is not None and (len(shape) not in (2, 3) or not all(map(is_length, shape))):
        raise InputError(
            f"image_shape is {image_shape!r}: expected None, (height, width) or (height, width, "
            "channels), each a positive whole number."
        )
    if len(shape) < 2:
        pixels = int(np.prod(shape))
        side = int(np.sqrt(pixels))
        shape = (side, side) if side * side == pixels else (1, pixels)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3 or np.prod(shape) != np.prod(y.shape[1:]):
        raise InputError(
            f"y has shape {y.shape} and image_shape is {image_shape}: expected images "
            "(n, height, width), or flattened ones whose length is that of image_shape."
        )
    return y.reshape(len(y), *map(int, shape))


def check_unit(images: np.ndarray, option: str) -> None:
    """Refuses images outside [0, 1] for an option that counts on that unit."""
    darkest, brightest = images.min(), images.max()
    if darkest < -ROUNDING or brightest > 1 + ROUNDING:
        raise InputError(
            f"y goes from {darkest:g} to {brightest:g}: {option} expects images in [0, 1]; divide "
            "them by their largest possible value, or choose another option."
        )


def as_groups(groups: Any) -> np.ndarray:
    """Group labels of any kind as (n,) int."""
    labels = np.asarray(groups)
    if labels.ndim != 1 and labels.shape[1:] != (1,):
        raise InputError(f"groups has shape {labels.shape}: expected (n,), one label a trial.")
    labels = labels.reshape(-1)
    missing = [place for place, label in enumerate(labels) if _is_missing(label)]
    if missing:
        raise InputError(
            f"groups has no label for {len(missing)} trials, the first at place {missing[0]}: "
            "expected a label for each trial; leave out the others."
        )
    try:
        return np.unique(labels, return_inverse=True)[1].reshape(-1)
    except TypeError as unordered:
        raise InputError(
            "groups mixes labels that cannot be compared, such as numbers and words: expected "
            "labels of one kind."
        ) from unordered


def _is_missing(label: Any) -> bool:
    """NaN and NaT differ from themselves; pandas' NA will not say whether it does."""
    try:
        return label is None or bool(label != label)
    except TypeError:
        return True


def as_seed(random_state: Any) -> int:
    """A whole number for a random key; None and a `RandomState` draw one, as in scikit-learn."""
    if isinstance(random_state, (int, np.integer)):
        if not 0 <= random_state <= LARGEST_SEED:
            raise InputError(
                f"random_state is {random_state}: expected a whole number from 0 to {LARGEST_SEED}."
            )
        return int(random_state)
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as unknown:
        raise InputError(
            f"random_state is {random_state!r}: expected a whole number, None or a RandomState."
        ) from unknown
