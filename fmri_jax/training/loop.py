"""The training loop: dispatch steps, watch for NaN, log, checkpoint. It knows no method."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax

from fmri_jax.training.checkpoints import Checkpoints
from fmri_jax.training.logs import MetricLog

State = TypeVar("State")
Step = Callable[[State, Any], tuple[State, dict[str, jax.Array]]]


class NotFiniteError(RuntimeError):
    """A loss or gradient became NaN or infinite; the last good checkpoint was kept."""


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
    """

    n_steps: int
    log_every: int
    checkpoint_every: int
    show: tuple[str, ...] = ()
    progress: bool = True


def train(
    step: Step[State],
    state: State,
    batch_at: Callable[[int], Any],
    options: LoopOptions,
    workdir: pathlib.Path,
    fold: str = "all",
) -> State:
    """Runs `step` until `options.n_steps`, going on from the latest checkpoint if there is one.

    Args:
        step: a jitted `(state, batch) -> (state, metrics)` that may donate its state.
        state: the state at step 0; it also tells the structure and shardings of a checkpoint.
        batch_at: the batch of step `t`, a pure function of `t`.
        options: see `LoopOptions`.
        workdir: holds `metrics.jsonl`, event files and `checkpoints/<fold>/`.
        fold: name of the cross-validation fold.

    Returns:
        The state after the last step.

    Raises:
        NotFiniteError: a metric was not finite; nothing after the last good checkpoint is kept.
    """
    with Checkpoints(workdir / "checkpoints" / fold.replace(" ", "_")) as checkpoints:
        start = checkpoints.latest_step() or 0
        if start:
            state = checkpoints.restore(state)
        with MetricLog(workdir, fold, options.n_steps, start, options.progress) as log:
            pending: dict[int, dict[str, jax.Array]] = {}
            for t in range(start, options.n_steps):
                state, pending[t + 1] = step(state, batch_at(t))
                done = t + 1 == options.n_steps
                save = done or (t + 1) % options.checkpoint_every == 0
                if save or (t + 1) % options.log_every == 0 or t == start:
                    _look(pending, log, options)
                if save:  # only after every metric up to here was seen to be finite
                    checkpoints.save(t + 1, state)
    return state


def _look(pending: dict[int, dict[str, jax.Array]], log: MetricLog, options: LoopOptions) -> None:
    """Waits for the pending steps, refuses what is not finite, writes the last of them."""
    fetched: dict[int, Mapping[str, float]] = {
        step: {name: float(value) for name, value in metrics.items()}
        for step, metrics in jax.device_get(pending).items()
    }
    pending.clear()
    for step, metrics in fetched.items():
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            raise NotFiniteError(
                f"training stopped at step {step}: {', '.join(bad)} is not finite; the last good "
                "checkpoint is kept. Lower the learning rate or that loss weight in a "
                "new workdir."
            )
    step = max(fetched)
    shown = {name: fetched[step][name] for name in options.show}
    log.write(step, fetched[step], shown)
