"""Training curves: one JSON object a line, TensorBoard event files, and a progress bar."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from fmri_jax.files import replacing


class MetricLog:
    """Writes scalar metrics of one training run; use as a context manager.

    Args:
        workdir: the run's folder; `metrics.jsonl` and the event files go there.
        fold: name of the cross-validation fold, written on every line.
        n_steps: total number of steps, for the progress bar.
        start: the step that a run resumes from: later lines of the same fold are dropped,
            so that no step is logged twice.
        progress: whether to draw a progress bar on the terminal.
    """

    def __init__(
        self, workdir: pathlib.Path, fold: str, n_steps: int, start: int = 0, progress: bool = True
    ):
        from tensorboardX import SummaryWriter
        from tqdm.auto import tqdm

        path = workdir / "metrics.jsonl"
        drop_after(path, fold, start)
        self._fold = fold
        self._lines = path.open("a", encoding="utf-8")
        events = workdir / "events" / fold.replace(" ", "_")
        self._events = SummaryWriter(str(events), purge_step=start + 1 if start else None)
        self._bar: Any = tqdm(
            total=n_steps,
            initial=start,
            desc=f"fold {fold}" if fold != "all" else "training",
            unit="step",
            disable=not progress,
            mininterval=0.5,
            dynamic_ncols=True,
        )

    def __enter__(self) -> "MetricLog":
        """Returns itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes the files and the bar."""
        self._bar.close()
        self._lines.close()
        self._events.close()

    def write(self, step: int, metrics: Mapping[str, float], show: Mapping[str, float]) -> None:
        """Writes the metrics of one step; `show` are those that the progress bar displays."""
        self._lines.write(json.dumps({"step": step, "fold": self._fold, **metrics}) + "\n")
        self._lines.flush()
        for name, value in metrics.items():
            self._events.add_scalar(name, value, step)
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in show.items()}, refresh=False)
        self.advance_to(step)

    def advance_to(self, step: int) -> None:
        """Moves the progress bar to `step`."""
        self._bar.update(step - self._bar.n)


def drop_after(path: pathlib.Path, fold: str, step: int) -> None:
    """Drops the lines of `fold` that are later than `step`, and a last line that broke off."""
    if not path.exists():
        return
    kept = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue  # the process was killed while it wrote this line
        if line["fold"] != fold or line["step"] <= step:
            kept.append(text)
    with replacing(path) as unfinished:  # other folds are in it, too
        unfinished.write_text("".join(text + "\n" for text in kept), encoding="utf-8")
