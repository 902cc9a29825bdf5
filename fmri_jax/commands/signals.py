"""Ctrl-C and SIGTERM end a run with one line; what it has written is complete any time.

A training saves a checkpoint after the step that it is at, and ends then; a second signal ends it
at once.
"""

import contextlib
import functools
import multiprocessing
import os
import signal

from fmri_jax import stopping

SAVING = "stopping: a checkpoint is saved after this step; once more stops at once"


def answer(message: str) -> None:
    """From here on Ctrl-C or SIGTERM prints `message` and ends this process and its workers.

    A signal that this process ignores, as the background process of a script does, stays ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, functools.partial(_end, message))


def _end(message: str, number: int, _frame: object) -> None:
    """Ends here and now, where nothing has to be saved first.

    Not by an exception: libraries that call back into Python swallow those.
    """
    if stopping.ask():
        say(SAVING)
        # The training raises `stopping.Stopped`, which whoever runs it lets through to here.
        _Ending.code, _Ending.message = 128 + number, message
        return
    workers = multiprocessing.active_children()
    for worker in workers:
        worker.terminate()
    say(message)
    if workers:  # this process only waits for them, and sees them end
        raise SystemExit(128 + number)
    os._exit(128 + number)


class _Ending:
    """How this process ends once its training has saved, upon a signal to it or to another one.

    Attributes:
        code: the exit code.
        message: what is printed last.
    """

    code = 128 + signal.SIGTERM
    message = "stopped, as another process of this run was told to"


def saved() -> int:
    """Prints the message of a run that has saved its state and stops; returns the exit code."""
    say(_Ending.message)
    return _Ending.code


def say(message: str) -> None:
    """Writes one line to standard error, even from within a signal."""
    with contextlib.suppress(OSError):  # a terminal that was closed
        # A progress bar may stand on the line.
        os.write(2, f"{chr(10) * os.isatty(2)}fmri_jax: {message}\n".encode())
