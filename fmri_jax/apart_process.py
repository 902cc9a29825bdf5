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

from fmri_jax.errors import InputError

LENGTH = struct.Struct("<Q")  # of a request, which follows it
CODE = struct.Struct("<i")  # how a child ended: exit code, negative if a signal ended it
FORKS = sys.platform == "linux"  # elsewhere forks are not safe: each call has a new process

# Ctrl-C is the parent's, which closes the socket.
_KEPT = """import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from fmri_jax import apart_child
apart_child.serve(*map(int, sys.argv[1:]))"""


class Kept:
    """The kept process, as this one sees it."""

    def __init__(self) -> None:
        import fcntl  # Windows has none

        self.settings = _settings()
        ours, other = socket.socketpair()
        ours.settimeout(None)
        with other:  # one with a number that is not of a standard stream, which may be closed
            theirs = fcntl.fcntl(other.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
        command = [sys.executable, "-P", "-c", _KEPT, str(theirs), str(os.getpid())]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(_paths())}
        errors = None if _errors() else subprocess.DEVNULL
        stdin = subprocess.DEVNULL
        try:
            self.process = subprocess.Popen(
                command, env=environment, stdin=stdin, stderr=errors, pass_fds=[theirs]
            )
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(theirs)
        self.socket = ours

    def run(self, request: bytes, descriptor: int) -> int | None:
        """Has one request answered in the file of the descriptor; None if this process ended."""
        try:
            descriptors = [descriptor, *_errors()]
            socket.send_fds(self.socket, [LENGTH.pack(len(request))], descriptors)
            self.socket.sendall(request)
            code = self.socket.recv(CODE.size, socket.MSG_WAITALL)
        except ConnectionError:
            code = b""
        if len(code) == CODE.size:
            return CODE.unpack(code)[0]
        self.socket.close()
        ended = self.process.wait()
        return None if FORKS else ended

    def waits(self) -> bool:
        """Whether it can be asked, and would read as a new one."""
        open_ = self.socket.fileno() >= 0 and self.process.poll() is None
        return open_ and self.settings == _settings()

    def end(self) -> None:
        """Ends it, with the child that it may have."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # whoever waits for an answer gets none
        self.socket.close()
        self.process.kill()
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
        with contextlib.suppress(OSError):  # no room for a process: a reading says so
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

    Raises:
        InputError: no process can be started.
    """
    place = {"paths": _paths(), "environment": dict(os.environ), "folder": _folder()}
    content = json.dumps(request | place).encode()
    with _State.lock:
        for _ in range(2):  # whatever else has ended it: once more
            code = _asked(content, descriptor)
            if code is not None:
                return code
    raise InputError(
        "the process that reads files cannot work: expected room for two more processes and their "
        "memory; end others, or set FMRI_JAX_READ_APART=0, which reads without limits."
    )


def _asked(content: bytes, descriptor: int) -> int | None:
    process = _State.kept
    if process is None or not process.waits():
        if process is not None:
            process.end()
        _State.kept = None
        try:
            process = _State.kept = Kept()
        except OSError:
            return None
    try:
        return process.run(content, descriptor)
    except BaseException:
        _State.kept = None
        process.end()
        raise


def _paths() -> list[str]:
    try:
        return [os.path.abspath(path) for path in sys.path]
    except OSError:  # the folder that relative ones begin at was removed
        return [path for path in sys.path if os.path.isabs(path)]


def _errors() -> list[int]:
    """Standard error, where a child's progress bar goes; nothing if it is closed."""
    with contextlib.suppress(OSError):
        if sys.__stderr__ is not None:
            os.fstat(2)
            return [2]
    return []


def _settings() -> dict[str, str]:
    """What HDF5 looks at when it is imported."""
    return {name: value for name, value in os.environ.items() if name.startswith("HDF5_")}


def _folder() -> str:
    with contextlib.suppress(OSError):  # removed
        return os.getcwd()
    return ""
