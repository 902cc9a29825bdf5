"""Where arrays live: one `('data',)` mesh over all devices, batches split, parameters replicated.

`jax.jit` with `NamedSharding` partitions the step by itself; no collective is written by hand.
"""

from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from fmri_jax.errors import InputError


def make_mesh(n_devices: int | None = None) -> Mesh:
    """Returns a one-axis data-parallel mesh.

    The axis is in `Auto` mode: in explicit mode `nn.Dropout` and batched solves are rejected.

    Args:
        n_devices: how many of the visible devices to use; None means all.

    Raises:
        InputError: more devices are asked for than JAX sees, or it cannot start the platform that
            JAX_PLATFORMS names.
    """
    try:
        devices = jax.devices()
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
    return jax.make_mesh((len(chosen),), ("data",), axis_types=(AxisType.Auto,), devices=chosen)


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of parameters, optimiser state and frozen networks: a copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The sharding of a batch: its first axis split over the mesh."""
    return NamedSharding(mesh, PartitionSpec("data"))


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Copies a pytree of arrays onto every device of the mesh."""
    return jax.device_put(tree, replicated(mesh))
