"""Processes that end when the one that started them does, however that ended."""

import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent dies
_LOOK = 1.0  # s between two looks at the parent, where the system does not send a signal


def end_with_parent(parent: int) -> None:
    """From here on this process ends with its parent, even if that is killed.

    Args:
        parent: the parent's process number, as it knows it: it may have ended by now.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    elif hasattr(os, "getppid"):
        threading.Thread(target=_look_at, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _look_at(parent: int) -> None:
    while os.getppid() == parent:
        threading.Event().wait(_LOOK)
    os._exit(1)
