"""Orbax checkpoints of a complete training state. The only file that imports Orbax.

Each has digests of its files (`digests`), written and on the disk before it gets its name. One that
is damaged is set aside as `.<step>.damaged`, and the one before it serves.

A checkpoint holds every leaf of the state: parameters, optimiser moments, random key and step. The
position in the data is a function of seed and step (`data.batches`), so the step is the position.
"""

import pathlib
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from absl import logging

from fmri_jax import digests
from fmri_jax.errors import InputError, plain
from fmri_jax.files import make_durable, set_aside
from fmri_jax.training import resources
from fmri_jax.training.mesh import together

State = TypeVar("State")
# Written by Orbax once more while it gives the checkpoint its name; restoring needs none of it.
_TIMES = "_CHECKPOINT_METADATA"


class Checkpoints:
    """The checkpoints of one training run; use as a context manager, so that writes finish.

    Args:
        folder: where the checkpoints live; created on the first save.
        keep: how many of the latest checkpoints stay on disk.
    """

    def __init__(self, folder: pathlib.Path, keep: int = resources.KEPT):
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self._folder = folder.absolute()
        if jax.process_index() == 0:
            self._set_aside_damaged()
        together()
        finishing = ocp.options.AsyncOptions(post_finalization_callback=self._seal)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, create=True, async_options=finishing
        )
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

    def _seal(self) -> None:
        """Adds the digests to a checkpoint that is written, before Orbax gives it its name."""
        if jax.process_index() == 0:
            for unfinished in self._folder.glob("*.orbax-checkpoint-tmp*"):
                digests.seal(unfinished, leave_out=(_TIMES,))
                make_durable(unfinished)

    def _set_aside_damaged(self) -> None:
        """Moves latest checkpoints that are not as they were written out of the way.

        Those of earlier versions have no digests and are taken as they are.
        """
        steps = [path for path in self._folder.glob("[0-9]*") if path.name.isdecimal()]
        for path in sorted(steps, key=lambda path: int(path.name), reverse=True):
            if not (found := digests.damaged(path)):
                return
            place = set_aside(path)
            logging.warning(
                "%s is damaged (%s differs from what was written): set aside as %s; training "
                "resumes from the checkpoint before it, or from the start.",
                path,
                plain(found[0]),
                place,
            )

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
