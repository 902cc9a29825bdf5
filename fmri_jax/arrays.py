"""Operations on arrays that every package needs in one form: exact products, sizes, RGB, blocks.

GPUs and TPUs multiply matrices in reduced precision unless told otherwise. What is solved or scored
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


def resize(images: jax.Array, height: int, width: int, antialias: bool) -> jax.Array:
    """Images at another size by bilinear interpolation with half-pixel centres.

    Args:
        images: (n, h, w, channels) floating point.
        height: px.
        width: px.
        antialias: whether the filter widens with the reduction, as in Pillow; without, shrinking
            skips pixels, as torchvision did for arrays before 0.17. Enlarging is the same.

    Returns:
        (n, height, width, channels); the images themselves where they have this size.
    """
    n, *size, channels = images.shape
    if size == [height, width]:
        return images
    return jax.image.resize(images, (n, height, width, channels), "bilinear", antialias=antialias)


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
