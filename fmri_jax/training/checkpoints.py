"""Orbax checkpoints of a complete training state. The only file that imports Orbax.

A checkpoint holds every leaf of the state: parameters, optimiser moments, random key and step. The
position in the data is a function of seed and step (`data.batches`), so the step is the position.
"""

import pathlib
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError

State = TypeVar("State")


class Checkpoints:
    """The checkpoints of one training run; use as a context manager, so that writes finish.

    Args:
        folder: where the checkpoints live; created on the first save.
        keep: how many of the latest checkpoints stay on disk.
    """

    def __init__(self, folder: pathlib.Path, keep: int = 2):
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self._folder = folder.absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def __enter__(self) -> "Checkpoints":
        """Returns itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Waits for writes in flight; an interrupted write is never taken for a checkpoint."""
        self._manager.close()

    def latest_step(self) -> int | None:
        """The step of the latest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any) -> None:
        """Writes the state after `step` steps, in the background, unless it is there already."""
        if step != self.latest_step():
            self._manager.save(step, args=self._ocp.args.StandardSave(_without_keys(state)))

    def restore(self, like: State) -> State:
        """Reads the latest checkpoint into the structure, dtypes and shardings of `like`.

        Raises:
            InputError: it is corrupt, or of another network.
        """
        plain, step = _without_keys(like), self._manager.latest_step()
        template = jax.tree.map(self._ocp.utils.to_shape_dtype_struct, plain)
        try:
            stored = self._manager.restore(step, args=self._ocp.args.StandardRestore(template))
        except Exception as error:  # a corrupt checkpoint can raise anything
            found = " ".join(str(error).split())[:200]
            raise InputError(
                f"{self._folder / str(step)} cannot be restored ({found}): expected a complete "
                "checkpoint of this run; delete that folder, and training resumes from the one "
                "before it."
            ) from error
        return jax.tree.map(_with_key, like, stored)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _without_keys(tree: Any) -> Any:
    """Typed random keys as their raw words, which every storage format knows."""
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, tree)


def _with_key(like: Any, stored: Any) -> Any:
    if not _is_key(like):
        return stored
    return jax.random.wrap_key_data(stored, impl=jax.random.key_impl(like))
