"""Ctrl-C and SIGTERM end a run with one line, at once; what it has written is complete any time."""

import contextlib
import functools
import multiprocessing
import os
import signal


def answer(message: str) -> None:
    """From here on Ctrl-C or SIGTERM prints `message` and ends this process and its workers.

    A signal that this process ignores, as the background process of a script does, stays ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, functools.partial(_end, message))


def _end(message: str, number: int, _frame: object) -> None:
    """Ends here and now: libraries that call back into Python swallow exceptions."""
    workers = multiprocessing.active_children()
    for worker in workers:
        worker.terminate()
    with contextlib.suppress(OSError):  # a terminal that was closed
        # A progress bar may stand on the line.
        os.write(2, f"{chr(10) * os.isatty(2)}fmri_jax: {message}\n".encode())
    if workers:  # this process only waits for them, and sees them end
        raise SystemExit(128 + number)
    os._exit(128 + number)
