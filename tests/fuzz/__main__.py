"""`python -m tests.fuzz SECONDS`: malformed files for every reader, each in a forked process.

Good files of every format are changed at random (`changes`). What a reader may come to is what it
reads, or one message; a traceback counts where users would see one, as of weights, and so do
crashes that `fmri_jax.apart` would not turn into a message, and more than 20 s or 2 GiB. Findings
are kept in a folder. POSIX alone.
"""

import argparse
import collections
import os
import pathlib
import signal
import sys
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("FMRI_JAX_READ_APART", "0")  # every process here is one apart
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

from fmri_jax import apart_child
from fmri_jax.errors import InputError
from tests.fuzz.changes import changed
from tests.fuzz.targets import Target, targets, write

MEMORY, SECONDS = 2**31, 20  # of one file
OK, MESSAGE, TRACEBACK, NO_MEMORY = range(4)
READ, ONE_MESSAGE = "read", "one message"


def main(arguments: list[str] | None = None) -> int:
    """Fuzzes every reader for its share of the time; returns 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("seconds", type=float, help="in all")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", nargs="+", help="names of files")
    parser.add_argument("--kept", type=pathlib.Path, default=pathlib.Path("fuzz_findings"))
    given = parser.parse_args(arguments)
    rng, all_found = np.random.default_rng(given.seed), collections.Counter[str]()
    with tempfile.TemporaryDirectory(prefix="fuzz_") as name:
        folder = pathlib.Path(name)
        _apart(lambda: write(folder))  # with PyTorch, which forks would drag along
        chosen = [t for t in targets(folder) if not given.only or t.path.name in given.only]
        for target in chosen:
            target.read()  # imports what its forks then have; raises where it is not good
        for target in chosen:
            found = fuzz(target, given.seconds / len(chosen), rng, given.kept)
            all_found += found
            print(f"{target.path.parent.name}/{target.path.name}: {dict(found)}", flush=True)
    print(f"{given.seconds:.0f} s: {dict(all_found)}")
    return int(bool(set(all_found) - {READ, ONE_MESSAGE}))


def fuzz(
    target: Target, seconds: float, rng: np.random.Generator, kept: pathlib.Path
) -> collections.Counter[str]:
    """Reads changed copies in place of a file for a while; counts what came of them."""
    whole, found = target.path.read_bytes(), collections.Counter[str]()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        content = changed(whole, rng)
        target.path.write_bytes(content)
        what = _outcome(target)
        if what not in (READ, ONE_MESSAGE):
            kept.mkdir(parents=True, exist_ok=True)
            number = len(list(kept.iterdir()))
            (kept / f"{number:04d}_{target.path.name}").write_bytes(content)
            print(f"{what}: {kept}/{number:04d}_{target.path.name}", flush=True)
        found[what] += 1
    target.path.write_bytes(whole)
    return found


def _outcome(target: Target) -> str:
    """What reading a file comes to, in a forked process with limits."""
    status = _apart(lambda: _read(target))
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        what = "TOO LONG" if number == signal.SIGXCPU else f"SIGNAL {number}"
        return ONE_MESSAGE if target.apart and what != "TOO LONG" else what
    what = {OK: READ, MESSAGE: ONE_MESSAGE, NO_MEMORY: "TOO MUCH MEMORY"}.get(
        os.WEXITSTATUS(status), "TRACEBACK"
    )
    return ONE_MESSAGE if target.apart and what != READ else what


def _apart(function: Callable[[], int | None]) -> int:
    """The status of a forked process that calls a function and ends with what it returns."""
    child = os.fork()
    if not child:
        code = TRACEBACK
        try:
            code = function() or OK
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def _read(target: Target) -> int:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    apart_child._limit(MEMORY, SECONDS)
    try:
        target.read()
    except InputError as error:
        return MESSAGE if str(error).isprintable() else TRACEBACK
    except MemoryError:
        return NO_MEMORY
    except BaseException:
        return TRACEBACK
    return OK


if __name__ == "__main__":
    sys.exit(main())
