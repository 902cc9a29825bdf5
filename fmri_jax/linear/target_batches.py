"""Many targets in blocks that fit in memory, on one device or several."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

WORKING_MEMORY = 512 * 2**20  # bytes that one block of targets may take


def block_size(targets: int, bytes_per_target: int, block: int | None = None) -> int:
    """Targets per block: the given number, or as many as `WORKING_MEMORY` holds, evenly split."""
    most = block or max(1, WORKING_MEMORY // max(1, bytes_per_target))
    return math.ceil(targets / math.ceil(targets / most))


def for_solving(mesh: Mesh | None) -> Mesh | None:
    """The mesh that LAPACK's solves are split over: one device where these are cores of a CPU.

    In jaxlib 0.10 a batch of LAPACK's solves, once it is large, holds one of XLA's threads while it
    waits for others to take its parts. Where as many batches as there are threads do so at once, of
    several devices, of several threads of Python or of independent parts of one program, none ever
    ends. One device alone uses all cores in such a batch.
    """
    return None if mesh is not None and mesh.size > 1 and _of_cpu(mesh) else mesh


def _of_cpu(mesh: Mesh) -> bool:
    return mesh.devices.flat[0].platform == "cpu"


def map_targets(
    solve: Callable[[Any, Any], Any],
    shared: Any,
    per_target: Any,
    block: int,
    mesh: Mesh | None = None,
) -> Any:
    """`solve(shared, per_target)` over blocks of the leading (target) axis, and over devices.

    Targets are independent, so each device of the mesh axis 'data' maps over its own share and
    nothing is communicated. The last block is filled up with zeros, which are dropped again.

    Args:
        solve: pure function of `shared` and a block of `per_target` with `block` targets; its
            outputs have the targets as leading axis.
        shared: arrays that every block needs in full.
        per_target: pytree of arrays (targets, ...).
        block: targets a block.
        mesh: mesh with an axis 'data'; None for the default device. `solve` has no batch of
            LAPACK's, or it is of `for_solving`.

    Returns:
        The outputs of `solve` over all targets.
    """
    targets = jax.tree.leaves(per_target)[0].shape[0]
    devices = 1 if mesh is None else mesh.shape["data"]
    block = min(block, math.ceil(targets / devices))
    filled = math.ceil(targets / (block * devices)) * block * devices

    def on_one_device(shared: Any, mine: Any) -> Any:
        count = jax.tree.leaves(mine)[0].shape[0] // block
        if count == 1:
            return solve(shared, mine)
        blocks = jax.tree.map(lambda a: a.reshape(count, block, *a.shape[1:]), mine)
        solved = jax.lax.map(lambda part: solve(shared, part), blocks)
        return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), solved)

    padded = jax.tree.map(lambda a: _fill(a, filled - targets), per_target)
    if mesh is not None:
        split = PartitionSpec("data")
        on_one_device = jax.shard_map(
            on_one_device,
            mesh=mesh,
            in_specs=(PartitionSpec(), split),
            out_specs=split,
            check_vma=False,  # loops start from constants, which are the same on every device
        )
    return jax.tree.map(lambda a: a[:targets], on_one_device(shared, padded))


def _fill(values: jax.Array, extra: int) -> jax.Array:
    return jnp.pad(values, ((0, extra),) + ((0, 0),) * (values.ndim - 1)) if extra else values
