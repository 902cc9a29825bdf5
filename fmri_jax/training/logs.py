"""Training curves: one JSON object a line, TensorBoard event files, and a progress bar.

The last entry of a line, `crc32`, is a checksum of the others, so that a damaged line is found.
"""

import json
import pathlib
import zlib
from collections.abc import Callable, Mapping
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
        self._lines.write(_line({"step": step, "fold": self._fold, **metrics}) + "\n")
        self._lines.flush()
        for name, value in metrics.items():
            self._events.add_scalar(name, value, step)
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in show.items()}, refresh=False)
        self.advance_to(step)

    def advance_to(self, step: int) -> None:
        """Moves the progress bar to `step`."""
        self._bar.update(step - self._bar.n)


class NoLog(MetricLog):
    """Writes and shows nothing: of all processes of a run, but the one that writes its files."""

    def __init__(self, *_given: object):
        pass

    def __exit__(self, *exception: object) -> None:
        """Nothing was opened."""

    def write(self, step: int, metrics: Mapping[str, float], show: Mapping[str, float]) -> None:
        """Leaves it to the other process."""


def drop_after(path: pathlib.Path, fold: str, step: int) -> None:
    """Drops the lines of `fold` that are later than `step`, and lines that are damaged."""
    if path.exists():
        _keep(path, lambda entry: entry["fold"] != fold or entry["step"] <= step)


def drop_damaged(path: pathlib.Path) -> int:
    """Drops lines that are not as they were written; returns how many there were."""
    if not path.exists():
        return 0
    lines = path.read_bytes().splitlines()
    n_damaged = sum(parse(line) is None for line in lines)
    if n_damaged:
        _keep(path, lambda entry: True)
    return n_damaged


def parse(line: bytes | str) -> dict[str, Any] | None:
    """The step, fold and metrics of a line, or None if it is damaged or broke off.

    Lines of earlier versions have no checksum.
    """
    try:
        entry = dict(json.loads(line))
        expected = entry.pop("crc32", None)
        if expected is not None and expected != _checksum(json.dumps(entry)):
            return None
        return {**entry, "step": int(entry["step"]), "fold": str(entry.get("fold", "all"))}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None  # ValueError: neither JSON nor text, too


def _line(entry: Mapping[str, Any]) -> str:
    text = json.dumps(entry)
    return f'{text[:-1]}, "crc32": "{_checksum(text)}"}}'


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _keep(path: pathlib.Path, wanted: Callable[[dict[str, Any]], bool]) -> None:
    """Rewrites the file with the intact lines that are wanted."""
    lines = [(line, parse(line)) for line in path.read_bytes().splitlines()]
    kept = [line for line, entry in lines if entry is not None and wanted(entry)]
    with replacing(path) as unfinished:  # other folds are in it, too
        unfinished.write_bytes(b"".join(line + b"\n" for line in kept))
