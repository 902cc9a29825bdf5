"""The training loop: dispatch steps, watch for NaN, log, checkpoint. It knows no method."""

import dataclasses
import math
import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import stopping
from fmri_jax.training import resources
from fmri_jax.training.checkpoints import Checkpoints
from fmri_jax.training.logs import MetricLog, NoLog
from fmri_jax.training.mesh import any_process

State = TypeVar("State")
Steps = Callable[[State, tuple[Any, ...]], tuple[State, dict[str, jax.Array]]]


class NotFiniteError(RuntimeError):
    """A loss, gradient or parameter became NaN or infinite; the last checkpoint before is kept."""


@dataclasses.dataclass(frozen=True)
class LoopOptions:
    """How long to train and how often to look.

    Attributes:
        n_steps: total number of steps.
        log_every: steps between two lines of the training curves. The loop waits for the device
            only then.
        checkpoint_every: steps between two checkpoints; the last step is always saved.
        show: names of the metrics that the progress bar displays.
        progress: whether to draw the progress bar.
        steps_per_dispatch: steps in one call of the device; fewer before a checkpoint.
    """

    n_steps: int
    log_every: int
    checkpoint_every: int
    show: tuple[str, ...] = ()
    progress: bool = True
    steps_per_dispatch: int = 1

    def dispatch(self, done: int) -> int:
        """How many steps the next call takes, after `done`: all or one, so that two compile."""
        checkpoint = done - done % self.checkpoint_every + self.checkpoint_every
        left = min(checkpoint, self.n_steps) - done
        return self.steps_per_dispatch if self.steps_per_dispatch <= left else 1

    def saved(self, step: int) -> bool:
        """Whether there is a checkpoint after this step."""
        return step == self.n_steps or step % self.checkpoint_every == 0


def train(
    steps: Steps[State],
    state: State,
    batch_at: Callable[[int], Any],
    options: LoopOptions,
    workdir: pathlib.Path,
    fold: str = "all",
) -> State:
    """Takes steps until `options.n_steps`, resuming from the latest checkpoint if there is one.

    Args:
        steps: a jitted `(state, batches) -> (state, metrics)` that may donate its state; a metric
            has one value per batch (see `dispatch.several_steps`).
        state: the state at step 0; it also gives the structure and shardings of a checkpoint.
        batch_at: the batch of step `t`, a pure function of `t`.
        options: see `LoopOptions`.
        workdir: holds `metrics.jsonl`, event files and `checkpoints/<fold>/`.
        fold: name of the cross-validation fold.

    Returns:
        The state after the last step.

    Raises:
        InputError: there is too little room on the disk or a device.
        NotFiniteError: a metric was not finite; nothing after the last good checkpoint is kept.
        Stopped: this process was asked to stop; there is a checkpoint of the last step.
    """
    folder = workdir / "checkpoints" / fold.replace(" ", "_")
    with Checkpoints(folder) as checkpoints, stopping.listening() as asked_to_stop:
        start = checkpoints.latest_step() or 0
        if start < options.n_steps:
            resources.check(state, folder, options.progress)
        if start:
            state = checkpoints.restore(state)

        def logged(step: int) -> bool:
            return step == start + 1 or step % options.log_every == 0 or options.saved(step)

        log_of = MetricLog if jax.process_index() == 0 else NoLog
        with log_of(workdir, fold, options.n_steps, start, options.progress) as log:
            pending: dict[int, dict[str, jax.Array]] = {}  # by the first step of the dispatch
            done = start
            while done < options.n_steps:
                ahead = range(done, done + options.dispatch(done))
                state, pending[done + 1] = steps(state, tuple(batch_at(t) for t in ahead))
                done = ahead.stop
                looks = any(logged(t + 1) for t in ahead)
                stops = done < options.n_steps and _asked(asked_to_stop(), looks, pending)
                if stops or looks:
                    _look(pending, log, options, logged, checkpoints.latest_step())
                # Only after every metric up to here was seen to be finite.
                if stops or options.saved(done):
                    _check_finite(done, state, checkpoints.latest_step())
                    checkpoints.save(done, state)
                if stops:
                    raise stopping.Stopped(f"stopped after step {done} of {options.n_steps}")
    return state


def _asked(here: bool, looks: bool, pending: Any) -> bool:
    """Whether to stop; several processes agree on it, wherever they wait for the device anyway.

    The steps have to be over, or their collective operations would meet that of the question.
    """
    if jax.process_count() == 1:
        return here
    if looks:
        jax.block_until_ready(pending)
    return looks and any_process(here)


def _look(
    pending: dict[int, dict[str, jax.Array]],
    log: MetricLog,
    options: LoopOptions,
    logged: Callable[[int], bool],
    kept: int | None,
) -> None:
    """Waits for the pending steps, rejects what is not finite, writes the steps to be logged.

    `kept` is the step of the latest checkpoint.
    """
    fetched = jax.device_get(pending)
    pending.clear()
    for first, metrics in fetched.items():
        for offset, values in enumerate(zip(*metrics.values(), strict=True)):
            step, scalars = first + offset, dict(zip(metrics, map(float, values), strict=True))
            bad = [name for name, value in scalars.items() if not math.isfinite(value)]
            if bad:
                raise _not_finite(step, ", ".join(bad), kept)
            if logged(step):
                log.write(step, scalars, {name: scalars[name] for name in options.show})


def _check_finite(step: int, state: Any, kept: int | None) -> None:
    """Rejects a state that is to be kept and holds NaN or infinity, though no metric did.

    Raises:
        NotFiniteError: the first such array is named.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if jnp.issubdtype(leaf.dtype, jnp.inexact):
            parts = [np.asarray(shard.data) for shard in leaf.addressable_shards]
            if not all(np.isfinite(part).all() for part in parts):
                raise _not_finite(step, jax.tree_util.keystr(path).lstrip("."), kept)


def _not_finite(step: int, what: str, kept: int | None) -> NotFiniteError:
    rest = f"the checkpoint of step {kept} is kept" if kept else "no checkpoint was saved before"
    return NotFiniteError(
        f"training stopped at step {step}: {what} is not finite; {rest}. Lower the learning rate "
        "or that loss weight, or clip gradients, in a new workdir."
    )
