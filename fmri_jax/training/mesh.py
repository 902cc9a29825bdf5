"""Where arrays live: one `('data',)` mesh over all devices, batches split, parameters replicated.

`jax.jit` with `NamedSharding` partitions the step by itself; no collective is written by hand.

Where several processes work on one run (`cluster`), a mesh has the devices of this process alone,
unless all take part in what is computed there.
"""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from fmri_jax.errors import InputError


def make_mesh(n_devices: int | None = None, of_all_processes: bool = False) -> Mesh:
    """Returns a one-axis data-parallel mesh.

    The axis is in `Auto` mode: in explicit mode `nn.Dropout` and batched solves are rejected.

    Args:
        n_devices: how many of the visible devices to use, of each process; None means all.
        of_all_processes: whether all processes of the run compute there together.

    Raises:
        InputError: more devices are asked for than JAX sees, or it cannot start the platform that
            JAX_PLATFORMS names.
    """
    try:
        devices = jax.local_devices()
    except RuntimeError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        platforms = jax.config.values["jax_platforms"] or "not set"
        raise InputError(
            f"JAX finds no device ({reason}): expected a platform that is there; correct or unset "
            f"JAX_PLATFORMS ({platforms}), or install JAX for it."
        ) from None
    if n_devices and n_devices > len(devices):
        raise InputError(
            f"config.n_devices is {n_devices} but JAX sees {len(devices)} device(s): ask for at "
            f"most {len(devices)}, or leave it out for all."
        )
    chosen = devices[: n_devices or len(devices)]
    if of_all_processes:
        chosen = []
        for process in range(jax.process_count()):
            theirs = [device for device in jax.devices() if device.process_index == process]
            chosen += theirs[: n_devices or len(theirs)]
    return jax.make_mesh((len(chosen),), ("data",), axis_types=(AxisType.Auto,), devices=chosen)


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of parameters, optimiser state and frozen networks: a copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The sharding of a batch: its first axis split over the mesh."""
    return NamedSharding(mesh, PartitionSpec("data"))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Copies a pytree of arrays onto every device of the mesh."""
    return put(tree, replicated(mesh))


def put(tree: Any, sharding: Any) -> Any:
    """As `jax.device_put`, also where devices are those of several processes.

    There every process gives the same arrays, and none is sent: each takes what its devices need.

    Args:
        tree: arrays of this process, or of all.
        sharding: one for all arrays, or one for each.
    """
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)
    if isinstance(sharding, NamedSharding):
        return jax.tree.map(lambda leaf: _taken(leaf, sharding), tree)
    return jax.tree.map(_taken, tree, sharding)


def _taken(leaf: Any, sharding: NamedSharding) -> jax.Array:
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        return jax.jit(lambda array: array, out_shardings=sharding)(leaf)
    if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        words = _taken(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(leaf))
    array = np.asarray(leaf)
    return jax.make_array_from_callback(array.shape, sharding, lambda part: array[part])


def own_rows(sharding: NamedSharding, batch_size: int) -> slice:
    """The part of a batch that the devices of this process take."""
    parts = sharding.addressable_devices_indices_map((batch_size,)).values()
    ends = [part[0].indices(batch_size) for part in parts if part]
    return slice(min(start for start, _, _ in ends), max(stop for _, stop, _ in ends))


def joined(rows: np.ndarray, sharding: NamedSharding, batch_size: int) -> jax.Array:
    """A batch of which each process gives its `own_rows`."""
    shape = (batch_size, *rows.shape[1:])
    return jax.make_array_from_process_local_data(sharding, rows, shape)


def in_this_process(tree: Any) -> Any:
    """Copied arrays (see `replicate`) as arrays that this process can use without the others."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(lambda leaf: jax.device_put(np.asarray(leaf)), tree)


def together() -> None:
    """Waits until all processes of a run are here."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("fmri_jax")


def any_process(asked: bool) -> bool:
    """Whether this or another process of the run says so; all have to be asked."""
    if jax.process_count() == 1:
        return asked
    from jax.experimental import multihost_utils

    return bool(multihost_utils.process_allgather(np.asarray(asked)).any())
