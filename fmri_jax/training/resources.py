"""What a training takes of devices, host and disk, known before its first step."""

import pathlib
import shutil
from typing import Any

import jax
import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.training.needs import say, size

GIB = 2**30
KEPT = 2  # checkpoints that stay on disk; one more is there while it is written
_OF_STEP = 2  # states that a device holds at least: this one, and the gradients and the next


def check(state: Any, folder: pathlib.Path, progress: bool = False) -> None:
    """Says what a training takes, and rejects one for which there is no room.

    The memory of a step's activations comes on top: only its compiler knows it.

    Args:
        state: at the first step; every array of it is in a checkpoint.
        folder: takes the checkpoints, of which some may be there; made later if absent.
        progress: whether anybody watches.

    Raises:
        InputError: the disk or a device has too little room; the numbers are in the message.
    """
    leaves = [leaf for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.Array)]
    whole = sum(_bytes(leaf, leaf.shape) for leaf in leaves)
    on_device = sum(_bytes(leaf, leaf.sharding.shard_shape(leaf.shape)) for leaf in leaves)
    there = len(list(folder.glob("[0-9]*")))
    disk = max(1, KEPT + 1 - there) * whole
    if progress:
        say(
            f"a training takes at least {size(_OF_STEP * on_device)} of each device, "
            f"{size(whole)} of memory while a checkpoint is written, and {size(disk)} of disk for "
            "checkpoints; activations come on top"
        )
    exists = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if (free := shutil.disk_usage(exists).free) < disk:
        raise InputError(
            f"{folder} has {free / GIB:.1f} GiB of room: expected {disk / GIB:.1f} GiB for "
            f"checkpoints of the training; free some, choose another --workdir, or make "
            "the networks smaller (config.method.width and hidden)."
        )
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", 0)
    if 0 < limit < _OF_STEP * on_device:
        raise InputError(
            f"the training takes more than {_OF_STEP * on_device / GIB:.1f} GiB of each device, "
            f"which has {limit / GIB:.1f} GiB: make the networks smaller (config.method.width and "
            "hidden), or split dense layers over more devices (config.method.shard_dense)."
        )


def _bytes(leaf: jax.Array, shape: tuple[int, ...]) -> int:
    """Of an array of this shape; a random key is four words of 32 bits at most."""
    size = 16 if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf.dtype.itemsize
    return int(np.prod(shape, dtype=np.int64)) * size
