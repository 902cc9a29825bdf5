"""Processes that are killed, and one that does what is left to do.

Both are forked from a process that has imported everything and in which JAX has not begun: a run
then costs its own work alone. The first end at a write, or at any moment; the second stays, so that
what it has compiled serves all runs that it completes.
"""

import contextlib
import importlib
import multiprocessing
import os
import pathlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.torture.cases import Case

_FORK = multiprocessing.get_context("fork")
_CHANGES = ("replace", "fsync", "mkdir", "unlink", "rename")  # of `os`, that change the disk


def begin() -> None:
    """Has a forked process keep every program that it compiles, however fast."""
    import jax

    from fmri_jax import compiled_programs

    compiled_programs.keep()
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


class Worker:
    """A process that brings folders to their ends, one after the other.

    Args:
        case: what is done there.
    """

    def __init__(self, case: Case):
        self._case = case
        self._start()

    def ended(self, workdir: pathlib.Path) -> tuple[str, str]:
        """What a folder ends with: ("bits", a digest), ("message", text) or ("FAILED", why)."""
        try:
            self._pipe.send(workdir)
            return self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self._start()
            return "FAILED", f"the process ended with {code}"

    def stop(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join(20)
        self._process.kill()

    def _start(self) -> None:
        self._pipe, theirs = _FORK.Pipe()
        self._process = _FORK.Process(target=self._serve, args=(theirs, self._pipe), daemon=True)
        self._process.start()
        theirs.close()

    def _serve(self, pipe: Any, other: Any) -> None:
        other.close()
        begin()
        with contextlib.suppress(EOFError):
            while True:
                pipe.send(self._end(pipe.recv()))

    def _end(self, workdir: pathlib.Path) -> tuple[str, str]:
        from fmri_jax.errors import InputError

        try:
            self._case.run(workdir)
            return "bits", self._case.digest(workdir)
        except InputError as error:
            kind = "message" if str(error).isprintable() else "FAILED"
            return kind, str(error)
        except BaseException as error:
            return "FAILED", f"{type(error).__name__}: {error}"


def measured(case: Case, workdir: pathlib.Path) -> tuple[int, float]:
    """Writes and seconds of a run to its end, in a process of its own.

    What it has imported is imported here, for the processes that are forked after it.

    Raises:
        RuntimeError: it did not end well.
    """
    ours, theirs = _FORK.Pipe()

    def run() -> None:
        begin()
        with counting() as writes:
            start = time.monotonic()
            case.run(workdir)
            theirs.send((writes(), time.monotonic() - start, sorted(sys.modules)))

    process = _FORK.Process(target=run)
    process.start()
    theirs.close()
    try:
        writes, seconds, modules = ours.recv()
    except EOFError:
        raise RuntimeError(f"a run that nobody disturbs fails, in {workdir}") from None
    process.join()
    for name in modules:
        with contextlib.suppress(Exception):  # some are made by others, and cannot be imported
            importlib.import_module(name)
    return writes, seconds


def killed_at_write(case: Case, workdir: pathlib.Path, number: int) -> str:
    """Runs until a write of this number; returns where that was, or "" if it came to its end."""
    ours, theirs = _FORK.Pipe(duplex=False)

    def run() -> None:
        begin()
        with counting(number, theirs.send):
            case.run(workdir)

    process = _FORK.Process(target=run)
    process.start()
    theirs.close()
    with contextlib.suppress(EOFError):
        where = ours.recv()
        process.join()
        return where
    process.join()
    _check(process.exitcode)
    return ""


def killed_at_moment(case: Case, workdir: pathlib.Path, seconds: float) -> str:
    """Runs for a while; returns "a moment", or "" if it came to its end."""

    def run() -> None:
        begin()
        case.run(workdir)

    process = _FORK.Process(target=run)
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
    process.join()
    _check(process.exitcode)
    return "a moment" if process.exitcode else ""


def _check(code: int | None) -> None:
    """Raises an error unless a process was killed, or came to its end."""
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a run that was to be killed ended with {code}")


@contextlib.contextmanager
def counting(
    stop_at: int = -1, tell: Callable[[str], object] = lambda where: None
) -> Iterator[Callable[[], int]]:
    """Counts what changes the disk within; this process is killed at the one of that number."""
    writes = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            nonlocal writes
            if writes == stop_at:
                tell(_where(call.__name__))
                os.kill(os.getpid(), signal.SIGKILL)
            writes += 1
            return call(*arguments, **options)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for name in _CHANGES:
            patch.setattr(os, name, counted(getattr(os, name)))
        yield lambda: writes


def _where(call: str) -> str:
    """The innermost function of the package that writes, but for its helper for files."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        path = pathlib.PurePath(frame.f_code.co_filename)
        if "fmri_jax" in path.parts[:-1] and path.stem not in ("files", "digests", "contextlib"):
            return f"{path.stem}.{frame.f_code.co_name} ({call})"
        frame = frame.f_back
    return f"a thread ({call})"


def drawn_kill(
    case: Case, workdir: pathlib.Path, writes: int, seconds: float, rng: np.random.Generator
) -> str:
    """Kills at a write, or one time in four at any moment; returns where."""
    if rng.random() < 0.25:
        return killed_at_moment(case, workdir, float(rng.uniform(0, seconds)))
    return killed_at_write(case, workdir, int(rng.integers(writes)))
