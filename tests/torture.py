"""`python -m tests.torture`: kills runs at every kind of write, and damages what they leave.

Each run must end with the same bits as one that nothing happened to, or with a message that says
what to do. A kill is SIGKILL at a chosen write of a process of its own; a damage is one bit
flipped, a file cut, emptied, deleted, or filled with random bytes. The exit code is 1 if anything
was silent: other results without a message, or a traceback.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

BLANK = b"\x89PNG"  # a picture of which nobody looks at the pixels
METHODS = ("ridge", "local_decoders", "gan")
CHILD = "import sys; from tests import torture; torture.child(*sys.argv[1:])"
DAMAGES: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "flipped": lambda content, rng: _flipped(content, rng),
    "cut": lambda content, rng: content[: rng.integers(max(1, len(content)))],
    "emptied": lambda content, rng: b"",
    "random": lambda content, rng: rng.bytes(len(content)),
}
UNREAD = ("checkpoints", "events")  # of a finished run: nothing reads them any more


def main(arguments: list[str] | None = None) -> int:
    """Runs as many kills and damages as asked for; prints what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="over all methods")
    parser.add_argument("--damages", type=int, default=500, help="over all methods")
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    rng = np.random.default_rng(given.seed)
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="torture_") as name:
        for method in given.methods:
            folder = pathlib.Path(name) / method
            folder.mkdir()
            case = Case(method, folder)
            for number in range(given.kills // len(given.methods)):
                came = case.killed(rng, times=1 + number % 3)
                found[_shown(f"{method} kill {number}", came)] += 1
            for number in range(given.damages // len(given.methods)):
                found[_shown(f"{method} damage {number}", case.damaged(rng, number))] += 1
    print(", ".join(f"{count} {outcome}" for outcome, count in found.most_common()))
    return int(any(outcome.startswith(("SILENT", "FAILED")) for outcome in found))


class Case:
    """One small run, and what it ends with if nothing happens to it.

    Args:
        method: of the run.
        folder: takes everything.
    """

    def __init__(self, method: str, folder: pathlib.Path):
        self._method, self._folder = method, folder
        self._finished, self._begun = folder / "finished", folder / "begun"
        with counting() as writes:
            _run(method, self._finished)
        self._writes = writes()
        self._expected = outcome(self._finished)
        shutil.copytree(self._finished, self._begun)
        for name in ("report.html", "scores.json", "SHA256SUMS", "folds/001.npz"):
            (self._begun / name).unlink()

    def killed(self, rng: np.random.Generator, times: int) -> str:
        """Kills a run so many times, and lets it end."""
        workdir = self._fresh()
        for _ in range(times):
            self._kill(workdir, stop_at=int(rng.integers(self._writes)))
        return self._ended(workdir)

    def damaged(self, rng: np.random.Generator, number: int) -> str:
        """Damages one file of a finished or of an unfinished run, and lets that end."""
        workdir = self._fresh(self._begun if number % 2 else self._finished)
        files = sorted(p for p in workdir.rglob("*") if p.is_file() and p.name != ".lock")
        if not number % 2:
            files = [p for p in files if p.relative_to(workdir).parts[0] not in UNREAD]
        path = files[rng.integers(len(files))]
        how = rng.choice([*DAMAGES, "deleted"])
        if how == "deleted":
            path.unlink()
        else:
            path.write_bytes(DAMAGES[how](path.read_bytes(), rng))
        came = self._ended(workdir)
        return came if came.startswith("the same") else f"{came} ({path.name} {how})"

    def _fresh(self, of: pathlib.Path | None = None) -> pathlib.Path:
        workdir = self._folder / "run"
        shutil.rmtree(workdir, ignore_errors=True)
        if of:
            shutil.copytree(of, workdir)
        return workdir

    def _kill(self, workdir: pathlib.Path, stop_at: int) -> None:
        """Runs in a process that is killed at a write, if it comes to that.

        Raises:
            RuntimeError: the process ended otherwise.
        """
        command = [sys.executable, "-c", CHILD, self._method, str(workdir), str(stop_at)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, -signal.SIGKILL):
            raise RuntimeError(done.stderr[-2000:])

    def _ended(self, workdir: pathlib.Path) -> str:
        """What the run ends with now, in this process."""
        from fmri_jax.errors import InputError

        try:
            _run(self._method, workdir)
        except InputError as error:
            return "ended with a message" if str(error).isprintable() else f"FAILED: {error!r}"
        except Exception as error:
            return f"FAILED with {type(error).__name__}: {error}"
        return "the same bits" if outcome(workdir) == self._expected else "SILENT"


def config(method: str, folder: pathlib.Path) -> Any:
    """A run of seconds, on a recording that is written into the folder."""
    from fmri_jax.pipeline.experiment_config import default_config
    from tests.pipeline.test_run import small_gan, write_recording

    path = folder / "mine.npz"
    if not path.exists():
        write_recording(path, seed=0)
    if method == "gan":
        return small_gan(path)
    made = default_config(method, "file")
    made.data.path, made.preparation.split, made.n_devices = str(path), "stimulus", 1
    made.evaluation.perceptual, made.evaluation.n_bootstrap = False, 20
    if method == "local_decoders":
        made.method.decoder, made.method.weights = "ridge", "equal"
    return made


def outcome(workdir: pathlib.Path) -> dict[str, Any]:
    """What a run comes to: the bits of its scores and images."""
    from fmri_jax.archives import read_npz

    arrays = read_npz(workdir / "reconstructions.npz")
    return {
        "scores": (workdir / "scores.json").read_bytes(),
        "config": (workdir / "config.json").read_bytes(),
        **{name: array.tobytes() for name, array in arrays.items()},
    }


def child(method: str, workdir: str, stop_at: str) -> None:
    """A run that is killed at one of its writes."""
    with counting(int(stop_at)):
        _run(method, pathlib.Path(workdir))


def _run(method: str, workdir: pathlib.Path) -> None:
    """A run whose figures are blank, as drawing takes most of the time of such a small one."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from fmri_jax.pipeline.run import run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            FigureCanvasAgg, "print_png", lambda _, target, **options: target.write(BLANK)
        )
        run(config(method, workdir.parent), workdir, progress=False)


@contextlib.contextmanager
def counting(stop_at: int = -1) -> Iterator[Callable[[], int]]:
    """Counts what changes the disk within; this process is killed at the one of that number."""
    writes = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            nonlocal writes
            if writes == stop_at:
                os.kill(os.getpid(), signal.SIGKILL)
            writes += 1
            return call(*arguments, **options)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "fsync", "mkdir", "unlink", "rename"):
            patch.setattr(os, name, counted(getattr(os, name)))
        yield lambda: writes


def _flipped(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content or b"\0")
    changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _shown(what: str, came: str) -> str:
    if came.startswith(("SILENT", "FAILED")):
        print(f"{what}: {came}", flush=True)
    return came if came in ("the same bits", "ended with a message") else came.split(":")[0]


if __name__ == "__main__":
    sys.exit(main())
