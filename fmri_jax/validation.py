"""What users give to estimators, as methods need it, or one clear message."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from fmri_jax.errors import InputError

LARGEST_SEED = 2**32 - 1
ROUNDING = 1e-3  # how far resized images may lie outside [0, 1]


def as_targets(y: Any) -> np.ndarray:
    """Targets as an array of finite numbers with trials first; uint8 stays, others are float32."""
    from sklearn.utils.validation import check_array  # slow to import, for reading options

    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    dtype = None if getattr(y, "dtype", None) == np.uint8 else np.float32
    return check_array(y, dtype=dtype, allow_nd=True, ensure_2d=False, input_name="y")


def as_images(y: np.ndarray, image_shape: Any, name: str = "y") -> np.ndarray:
    """(n, height, width, channels) of images in any shape.

    Args:
        y: (n, pixels), (n, height, width) or (n, height, width, channels).
        image_shape: (height, width) or (height, width, channels); None takes that of `y`, a square
            number of pixels as a square image and any other as an image of one row.
        name: what to call them in a message.
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
            f"{name} has shape {y.shape} and image_shape is {image_shape}: expected images "
            "(n, height, width), or flattened ones whose length is that of image_shape."
        )
    return y.reshape(len(y), *map(int, shape))


def in_unit_range(
    y: np.ndarray, y_range: Any, name: str = "y"
) -> tuple[np.ndarray, tuple[float, float]]:
    """Targets as float32 in [0, 1].

    Args:
        y: any shape; of uint8, 0 is black and 255 white whatever `y_range` says.
        y_range: (black, white), the values of `y` that become 0 and 1; None: those of its darkest
            and its brightest pixel.
        name: what to call them in a message.

    Returns:
        The images, and the values of black and white.

    Raises:
        InputError: values lie outside of `y_range`, or `y_range` is no pair.
    """
    if y.dtype == np.uint8:
        if y.max(initial=0) <= 1 and y.any():
            raise InputError(
                f"{name} is uint8 and holds 0 and 1 only: expected 0 to 255; give images of zeros "
                f"and ones as numbers of another type, such as {name}.astype(float)."
            )
        return y.astype(np.float32) / np.float32(255), (0.0, 255.0)
    darkest, brightest = float(y.min()), float(y.max())
    black, white = _black_and_white(y_range, darkest, brightest, name)
    slack = ROUNDING * (white - black)
    if y_range is not None and (darkest < black - slack or brightest > white + slack):
        raise InputError(
            f"{name} goes from {darkest:g} to {brightest:g}: expected images in [{black:g}, "
            f"{white:g}]; divide them by their largest possible value, or give "
            f"{name.lower()}_range=(black, white)."
        )
    if (black, white) != (0, 1):
        y = (y - np.float32(black)) / np.float32(white - black)
    return np.clip(y, 0, 1).astype(np.float32), (black, white)


def _black_and_white(
    y_range: Any, darkest: float, brightest: float, name: str
) -> tuple[float, float]:
    if y_range is None:
        return darkest, brightest if brightest > darkest else darkest + 1
    pair = members(y_range)
    if (
        len(pair) != 2
        or not all(isinstance(end, numbers.Real) and np.isfinite(float(end)) for end in pair)
        or pair[0] >= pair[1]
    ):
        raise InputError(
            f"{name.lower()}_range is {y_range!r}: expected (black, white), two numbers in "
            f"ascending order, or None for the range of {name}."
        )
    return float(pair[0]), float(pair[1])


def members(value: Any) -> tuple[Any, ...]:
    """What a sequence or an array holds; nothing where it is neither, or a word."""
    if isinstance(value, np.ndarray):
        return tuple(value) if value.ndim else ()
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()


def is_length(value: Any) -> bool:
    """Whether this is a positive whole number; True is none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) > 0


def check_unit(images: np.ndarray, option: str) -> None:
    """Rejects images outside [0, 1] for an option that counts on that unit."""
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
        raise InputError(f"groups has shape {labels.shape}: expected (n,), one label per trial.")
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
    from sklearn.utils import check_random_state

    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as unknown:
        raise InputError(
            f"random_state is {random_state!r}: expected a whole number, None or a RandomState."
        ) from unknown
