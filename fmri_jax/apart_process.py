"""The process that `fmri_jax.apart` keeps: started once, it forks a child for each call.

To start Python and to import NumPy takes as long as to read hundreds of images; a fork takes
milliseconds. Nothing of a file reaches the kept process itself. It ends with this one, as the
socket between the two is closed then, whatever ended it.
"""

import atexit
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from typing import Any

LENGTH = struct.Struct("<Q")  # of a request, which follows it
CODE = struct.Struct("<i")  # how a child ended: exit code, negative if a signal ended it
_KEPT = "import sys; from fmri_jax import apart_child; apart_child.serve(int(sys.argv[1]))"


class Kept:
    """The kept process, as this one sees it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-c", _KEPT, str(theirs.fileno())]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(_paths())}
        with theirs:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
        self.socket = ours

    def run(self, request: bytes, descriptor: int) -> int:
        """Has one request answered in the file of the descriptor; returns `CODE`."""
        descriptors = [descriptor]
        with contextlib.suppress(OSError):  # closed
            os.fstat(2)
            descriptors.append(2)  # where a child's progress bar goes
        try:
            socket.send_fds(self.socket, [LENGTH.pack(len(request))], descriptors)
            self.socket.sendall(request)
            code = self.socket.recv(CODE.size, socket.MSG_WAITALL)
        except ConnectionError:
            code = b""
        if len(code) == CODE.size:
            return CODE.unpack(code)[0]
        self.socket.close()
        return self.process.wait()  # it does not fork on this system, or was killed

    def waits(self) -> bool:
        """Whether it can be asked."""
        return self.socket.fileno() >= 0 and self.process.poll() is None

    def end(self) -> None:
        """Ends it, with the child that it may have."""
        self.socket.close()
        self.process.wait()


class _State:
    """What this process has."""

    kept: Kept | None = None
    lock = threading.Lock()


def _forget() -> None:
    """In a fork of this process: the kept one is the parent's."""
    _State.lock = threading.Lock()
    if _State.kept is not None:
        _State.kept.socket.close()
        _State.kept.process.returncode = 0  # no child of this process, that it could wait for
        _State.kept = None


def _end() -> None:
    if _State.kept is not None:
        _State.kept.end()
        _State.kept = None


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def prepare() -> None:
    """Starts the process, to be ready when something is read: while JAX is imported, at no cost."""
    if possible() and _State.kept is None:
        _State.kept = Kept()


def kept() -> int | None:
    """The process number, if it was started."""
    return None if _State.kept is None else _State.kept.process.pid


def possible() -> bool:
    """Whether files are read apart here."""
    return (
        os.environ.get("FMRI_JAX_READ_APART") != "0"
        and os.name == "posix"  # elsewhere a file cannot be given to a child
        and bool(sys.executable)
    )


def run(request: dict[str, Any], descriptor: int) -> int:
    """Has a request answered in a child; one at a time.

    Args:
        request: what `apart_child.serve` takes; where and in which environment is added here.
        descriptor: of the file that the answer is written to.

    Returns:
        The child's exit code, negative if a signal ended it.
    """
    place = {"paths": _paths(), "environment": dict(os.environ), "folder": _folder()}
    content = json.dumps(request | place).encode()
    with _State.lock:
        process = _State.kept
        if process is None or not process.waits():
            process = _State.kept = Kept()
        try:
            return process.run(content, descriptor)
        except BaseException:
            _State.kept = None
            process.end()
            raise


def _paths() -> list[str]:
    return [os.path.abspath(path) for path in sys.path]


def _folder() -> str:
    with contextlib.suppress(OSError):  # removed
        return os.getcwd()
    return ""
