"""Images as any lab stores them in one array: which axis and which range is which."""

import numpy as np

from fmri_jax.data.doubts import DARK
from fmri_jax.errors import InputError


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Images as uint8, where what their numbers mean is beyond doubt.

    Args:
        images: (stimuli, height, width, channels) uint8, real numbers in [0, 1] or bool.

    Raises:
        InputError: the shape or the range is another one.
    """
    shape, kind = images.shape, images.dtype.kind
    if images.ndim == 3:
        raise InputError(
            f"images has shape {shape}: expected (stimuli, height, width, channels); grey images "
            "need their channel axis, images[..., None]."
        )
    if len(shape) != 4:
        raise InputError(f"images has shape {shape}: expected (stimuli, height, width, channels).")
    if shape[2] in (1, 3) and shape[3] not in (1, 3):
        raise InputError(
            f"images has shape {shape}: expected (stimuli, height, width, channels); the images "
            "seem to be counted along the last axis, so put it first, permute(images, [4 1 2 3]) "
            "in MATLAB or np.moveaxis(images, -1, 0) in Python."
        )
    if shape[1] in (1, 3) and shape[3] not in (1, 3):
        raise InputError(
            f"images has shape {shape}: expected (stimuli, height, width, channels); the channels "
            "seem to come first, so store np.moveaxis(images, 1, -1)."
        )
    if images.dtype == np.uint8:
        if images.size and 0 < images.max() < DARK:
            raise InputError(
                f"images is uint8 with values from {images.min()} to {images.max()}: expected 0 to "
                f"255; {'multiply by 255' if images.max() == 1 else 'scale it to that range'}."
            )
        return images
    if kind == "b":
        return images.astype(np.uint8) * np.uint8(255)
    if kind == "f":
        if images.size and not (images.min() >= 0 and images.max() <= 1):
            raise InputError(
                f"images is {images.dtype} with values from {images.min():g} to {images.max():g}: "
                "expected [0, 1], or uint8 from 0 to 255."
            )
        if images.size and 0 < images.max() < DARK / 255:
            raise InputError(
                f"images is {images.dtype} with values up to {images.max():.3g}: expected them to "
                "reach far into [0, 1]; they seem to be divided once too often (by 255, or by 65535"
                " though they held fewer bits), so divide the stored numbers by their full scale."
            )
        return np.rint(images * 255).astype(np.uint8)
    raise InputError(
        f"images is {images.dtype}: expected uint8 (0 to 255), real numbers in [0, 1] or bool."
    )


def check_stack(images: np.ndarray, names: np.ndarray | None, stimulus: np.ndarray) -> None:
    """Rejects grey images that are stacked along the third axis, as MATLAB's users do.

    They would read as other images, `height` of them, without a word: each shows one row of all.

    Args:
        images: (stimuli, height, width, channels).
        names: of the stimuli, if any are given.
        stimulus: (trials,) index into `images`.

    Raises:
        InputError: the third axis seems to count the images.
    """
    first, _, third, channels = images.shape
    if channels != 1 or first == third or not stimulus.size:
        return
    what, count = "stimulus names", len(np.unique(stimulus))
    stacked = _counts_the_third_axis(images.shape, stimulus)
    if names is not None and names.size in (first, third):  # these settle it
        what, count, stacked = "stimulus_names holds", third, names.size == third
    if stacked:
        raise InputError(
            f"images has shape {images.shape}, and {what} {count} images, which its third axis "
            "seems to hold: expected (stimuli, height, width, channels); put the third axis first, "
            "permute(images, [3 1 2]) in MATLAB or np.moveaxis(images, 2, 0) in Python."
        )


def _counts_the_third_axis(shape: tuple[int, ...], stimulus: np.ndarray) -> bool:
    """Whether the indices of the images that are shown fit the third axis better than the first.

    Images of a bank that a subject never saw are no evidence: only where the third axis leaves
    fewer of them, and either nearly none or images that are square, is it the likelier one.
    """
    first, second, third = shape[:3]
    shown = np.unique(stimulus)
    low, high = int(shown[0]), int(shown[-1])
    if low < 0 or high - (low >= 1) >= third or (low == 1 and high == first):
        return False
    nearly_all_shown = third - len(shown) <= max(1, third // 10)
    if third > first:
        return high >= first and nearly_all_shown
    return first == second or (second != third and nearly_all_shown)
