"""Operations on arrays that every package needs in one form: exact products, sizes, RGB, blocks.

GPUs and TPUs multiply matrices in reduced precision by default. What is solved or scored
must not depend on that.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.errors import InputError

matmul = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
einsum = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)

# Reconstructions may overshoot [0, 1] by this much (rounding of a clip in lower precision).
TOLERANCE = 1e-3


def as_images(images: Any, name: str) -> np.ndarray:
    """Returns images as float32 in [0, 1].

    Args:
        images: (n, height, width, channels); uint8 in 0..255, or floating point in [0, 1].
        name: what to call them in a message.

    Returns:
        (n, height, width, channels) float32; float64 stays float64.

    Raises:
        InputError: wrong number of axes, no image, no numbers, not finite, or outside [0, 1].
    """
    array = np.asarray(images)
    if array.ndim != 4 or 0 in array.shape:
        raise InputError(
            f"{name} has shape {array.shape}: expected (n, height, width, channels), none 0."
        )
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} holds {array.dtype}: expected real numbers in [0, 1].")
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    if array.dtype != np.float64:
        array = array.astype(np.float32)
    low, high = float(array.min()), float(array.max())  # a nan anywhere makes both nan
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{name} holds values that are not finite: expected numbers in [0, 1].")
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise InputError(
            f"{name} spans [{low:.3g}, {high:.3g}]: expected [0, 1]; divide 8-bit images by 255."
        )
    return array


def as_rgb(images: jax.Array) -> jax.Array:
    """Repeats the single channel of grey images three times; leaves RGB as it is.

    Args:
        images: (..., 1 or 3).

    Raises:
        InputError: there is another number of channels.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise InputError(f"images have {channels} channels: expected 1 (grey) or 3 (RGB).")
    return jnp.repeat(images, 3, axis=-1) if channels == 1 else images


def resize(
    images: jax.Array, height: int, width: int, antialias: bool, method: str = "bilinear"
) -> jax.Array:
    """Images at another size by interpolation with half-pixel centres.

    Args:
        images: (n, h, w, channels) floating point.
        height: px.
        width: px.
        antialias: whether the filter widens with the reduction, as in Pillow; without, shrinking
            skips pixels, as torchvision did for arrays before 0.17. Enlarging is the same.
        method: "bilinear", or "cubic" (Keys' with a = -0.5, as in Pillow).

    Returns:
        (n, height, width, channels); the images themselves where they have this size.
    """
    n, *size, channels = images.shape
    if size == [height, width]:
        return images
    return jax.image.resize(images, (n, height, width, channels), method, antialias=antialias)


def of_own_types(tree: Any) -> Any:
    """The same arrays, none of the type of a Python number, which yields to others (`weak_type`).

    For the start of a loop whose program takes its own results: it would be compiled once more for
    the types that these have.
    """
    return jax.tree.map(lambda array: jnp.asarray(array, array.dtype), tree)


def block_size(rows: int, most: int) -> int:
    """Rows of a block: `most`, or the next power of two for fewer rows.

    Sets of different sizes then share few compiled programs. For what passes a network once: where
    a row takes many steps, as in rendering and diffusion, rows too many take longer than compiling.
    """
    return min(most, 1 << max(rows - 1, 0).bit_length())


def in_blocks(function: Callable[..., Any], rows: tuple[np.ndarray, ...], block: int) -> Any:
    """Applies `function` to blocks of rows of one compiled shape, and joins what it returns.

    Memory then depends on the block and not on the number of rows. The last block is filled up by
    repeating its last row, so that every call has the same shape and compiles once.

    Args:
        function: takes one block of each array in `rows`; returns a pytree of arrays with the
            block as first axis.
        rows: arrays with a common first axis (n, ...).
        block: rows per call.

    Returns:
        The pytree that `function` returns, of NumPy arrays with first axis n.
    """
    n = len(rows[0])
    parts = [
        jax.tree.map(lambda part, keep=stop - start: np.asarray(part)[:keep], function(*block_rows))
        for start, stop, block_rows in _padded_blocks(rows, n, block)
    ]
    return jax.tree.map(lambda *pieces: np.concatenate(pieces), *parts)


def _padded_blocks(
    rows: tuple[np.ndarray, ...], n: int, block: int
) -> Iterator[tuple[int, int, tuple[np.ndarray, ...]]]:
    """Yields (start, stop, one block of each array), the last block filled up."""
    for start in range(0, n, block):
        index = np.minimum(np.arange(start, start + block), n - 1)
        yield start, min(start + block, n), tuple(array[index] for array in rows)
