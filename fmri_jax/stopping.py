"""Stopping on request: work that can be kept is kept first.

A training listens while it takes steps. Whoever is told to stop, as by Ctrl-C or SIGTERM, asks it;
it saves its state after the step that it is at and raises `Stopped`.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any


class Stopped(KeyboardInterrupt):
    """What was asked to stop has kept its state and stops."""


class _Requests:
    """Of this process.

    Attributes:
        listening: how many trainings look whether they were asked.
        asked: whether they were.
    """

    listening = 0
    asked = False


@contextlib.contextmanager
def listening() -> Iterator[Callable[[], bool]]:
    """Within, requests to stop wait for this block. Yields what says whether there was one."""
    _Requests.listening += 1
    try:
        yield lambda: _Requests.asked
    finally:
        _Requests.listening -= 1


def ask() -> bool:
    """Asks whoever listens to stop; whether somebody does and was not asked before."""
    if not _Requests.listening or _Requests.asked:
        return False
    _Requests.asked = True
    return True


def answer_in_worker() -> None:
    """From here on SIGTERM has this process keep its state first; a second one ends it at once."""

    def end(number: int, _frame: Any) -> None:
        if not ask():
            os._exit(128 + number)

    signal.signal(signal.SIGTERM, end)
