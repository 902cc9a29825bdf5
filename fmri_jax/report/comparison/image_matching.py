"""Whether two runs were tested on the same images, which each keeps at its own size."""

import numpy as np

from fmri_jax.data.images import resize
from fmri_jax.report.figures.pictures import to_uint8

# Photographs that were prepared at two sizes correlate above .99, other photographs below .95.
_SAME = 0.95
_FLAT = 0.01  # standard deviation below which an image counts as one colour: 2.5 of 255 levels


def same_images(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Compares two stacks image by image, at the smaller of their sizes.

    Args:
        ours: (n, height, width, 1 or 3) in [0, 1].
        theirs: (n, height, width, 1 or 3) in [0, 1]; grey where one of the two is grey.

    Returns:
        (n,) bool.
    """
    n = len(ours)
    if ours.shape == theirs.shape:
        return np.isclose(ours, theirs, atol=1e-3).reshape(n, -1).all(axis=1)
    side = min(*ours.shape[1:3], *theirs.shape[1:3])
    channels = min(ours.shape[-1], theirs.shape[-1])
    x, y = (_reduced(images, side, channels) for images in (ours, theirs))
    means, spreads = (np.stack([f(x, axis=1), f(y, axis=1)]) for f in (np.mean, np.std))
    products = np.mean((x - means[0][:, None]) * (y - means[1][:, None]), axis=1)
    alike = products > _SAME * spreads.prod(axis=0)
    # The correlation of an image of one colour is undefined or noise: its brightness decides.
    same_brightness = np.abs(means[0] - means[1]) < 2 * _FLAT
    return np.where((spreads < _FLAT).all(axis=0), same_brightness, alike)


def places(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray | None:
    """(n,) where each of our images stands among theirs, by its pixels; None unless all do.

    Args:
        ours: (n, height, width, channels) in [0, 1].
        theirs: the same shape.
    """
    if ours.shape != theirs.shape:
        return None
    known = {to_uint8(image).tobytes(): i for i, image in enumerate(theirs)}
    found = [known.get(to_uint8(image).tobytes(), -1) for image in ours]
    return np.asarray(found) if len(set(found) - {-1}) == len(ours) else None


def _reduced(images: np.ndarray, side: int, channels: int) -> np.ndarray:
    """(n, pixels) of the images at `side` x `side` pixels, in colour or grey."""
    small = resize(np.stack([to_uint8(image) for image in images]).reshape(images.shape), side)
    small = small.mean(axis=-1) if channels == 1 else small
    return small.reshape(len(images), -1) / 255.0
