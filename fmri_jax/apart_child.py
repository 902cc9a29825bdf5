"""The kept process of `fmri_jax.apart`, and its children.

Each child calls one function within limits and writes what it returns.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from typing import Any

import numpy as np

from fmri_jax import apart, apart_memory
from fmri_jax.apart_process import CODE, FORKS, LENGTH
from fmri_jax.errors import InputError, one_line
from fmri_jax.processes import end_with_parent

# That readers import where they need them.
LIBRARIES = {"bids", "fmri_jax", "h5py", "nibabel", "nilearn", "pandas", "scipy", "sklearn"}
# What a child comes to import -> what it needs next: it begins again once for all of it.
READ_WITH = {
    "fmri_jax.data.readers.nifti": ("nibabel", "nilearn", "bids.layout.models"),
    "scipy": ("scipy.io",),
}
_LONGEST = 2**12  # bytes of a module's name
_SHORT = 0.5  # s of work that may be done again
_AGAIN = 3  # exit code of a child that ends for a library
_MOST = 50  # of such in one reading


def serve(descriptor: int, parent: int) -> None:
    """Takes requests from a socket until its other end is closed, and answers each in a fork.

    Args:
        descriptor: of the socket.
        parent: the process number at its other end.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a parent that ignores it hands that down
    if not FORKS:
        end_with_parent(parent)
    with socket.socket(fileno=descriptor) as connection:
        connection.setblocking(True)
        while True:
            head, descriptors, *_ = socket.recv_fds(connection, LENGTH.size, 2)
            if len(head) < LENGTH.size:
                return
            request = _received(connection, LENGTH.unpack(head)[0])
            sys.path[:] = request["paths"]
            _import_readers(request)
            if not FORKS:
                _complete(request, descriptors)
                return
            code = _in_forks(request, descriptors, connection)
            for each in descriptors:
                os.close(each)
            if code is None:
                return
            connection.sendall(CODE.pack(code))


def _import_readers(request: dict[str, Any]) -> None:
    """Imports what a request needs, once for all children: a function may be told another."""
    with contextlib.suppress(Exception):  # the child says what is wrong
        apart.resolve(request["function"])
        apart.resolve(request["arguments"]["function"])


def _received(connection: socket.socket, length: int) -> dict[str, Any]:
    with connection.makefile("rb") as stream:
        content = stream.read(length)
    if len(content) < length:  # the parent has ended
        sys.exit()
    return json.loads(content)


class _Imports:
    """First of the finders of modules in a child: ends it where a library is still to import.

    The process that it is a fork of imports the library, and forks again: all children have it from
    then on, and nothing is imported twice. A child that has worked for long imports it itself.
    """

    def __init__(self, descriptor: int, tried: set[str]):
        self._descriptor, self._tried = descriptor, tried
        self._latest = time.monotonic() + _SHORT

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        """Finds nothing."""
        wanted = name.partition(".")[0] in LIBRARIES and name not in self._tried
        if wanted and len(self._tried) < _MOST and time.monotonic() < self._latest:
            os.write(self._descriptor, name.encode())
            os._exit(_AGAIN)


def _in_forks(
    request: dict[str, Any], descriptors: list[int], connection: socket.socket
) -> int | None:
    """The exit code of a child that answers; None if the parent has ended meanwhile."""
    tried: set[str] = set()
    while True:
        code, name = _in_a_fork(request, descriptors, connection, tried)
        if code != _AGAIN or not name or name in tried or len(tried) >= _MOST:
            return code
        for each in (name, *READ_WITH.get(name, ())):
            tried.add(each)
            with contextlib.suppress(Exception):  # the next child says what is wrong
                if each.partition(".")[0] in LIBRARIES:  # a child is not trusted
                    importlib.import_module(each)


def _in_a_fork(
    request: dict[str, Any],
    descriptors: list[int],
    connection: socket.socket,
    tried: set[str],
) -> tuple[int | None, str]:
    """As `_in_forks`, of one child, and the library that it has ended for."""
    waiting, alive = os.pipe()
    this = os.getpid()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            end_with_parent(this)
            connection.close()
            sys.meta_path.insert(0, _Imports(alive, tried))
            _complete(request, descriptors)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):  # there may be no standard error
                sys.stderr.flush()
            os._exit(code)
    os.close(alive)  # the child has it, until it ends
    closed = _closed_before(child, waiting, connection)
    if closed:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.set_blocking(waiting, False)
    try:
        name = os.read(waiting, _LONGEST).decode(errors="replace")
    except BlockingIOError:  # held by what the child has started
        name = ""
    os.close(waiting)
    return None if closed else os.waitstatus_to_exitcode(status), name


def _closed_before(child: int, waiting: int, connection: socket.socket) -> bool:
    """Waits for the end of a child; whether the parent has closed the socket before.

    Nobody asks anything before there is an answer.
    """
    watched = [waiting, connection.fileno()]
    with contextlib.suppress(AttributeError, OSError):  # of an older system: the pipe alone says it
        watched.append(os.pidfd_open(child))  # what it has started may hold the pipe
    ready, *_ = select.select(watched, [], [])
    for each in watched[2:]:
        os.close(each)
    return connection.fileno() in ready


def _complete(request: dict[str, Any], descriptors: list[int]) -> None:
    """Answers in the file of the first descriptor; the second is the parent's standard error."""
    descriptor, *errors = descriptors
    for each in errors:
        os.dup2(each, 2)
    os.environ.clear()
    # This process reads everything itself.
    os.environ.update(request["environment"] | {"FMRI_JAX_READ_APART": "0"})
    try:
        os.chdir(request["folder"])
    except OSError:  # removed: nothing is found by a relative path
        os.chdir("/")
    apart_memory.share(descriptor)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        arrays: list[np.ndarray] = []
        answer = _answer(request, arrays)
        answer["warnings"] = [[type(w.message).__name__, str(w.message)] for w in caught]
        try:
            apart_memory.write(answer, arrays)
        except MemoryError:  # of an array that is not contiguous
            apart_memory.write({"memory": apart_memory.noted(), "warnings": []}, [])


def _answer(request: dict[str, Any], arrays: list[np.ndarray]) -> dict[str, Any]:
    """What is written for the parent; the arrays of the result are added to `arrays`."""
    try:
        function = apart.resolve(request["function"])
        _limit(request["memory"], request["seconds"])
        found = _encoded(function(**request["arguments"]), arrays)
        json.dumps(found)  # raises here what it would raise when it is written
        return {"result": found}
    except InputError as error:
        if _lacked_memory(error):  # the file need not be corrupt, as its reader says
            return {"memory": apart_memory.noted()}
        return {"error": str(error)}
    except MemoryError:
        arrays.clear()
        return {"memory": apart_memory.noted()}
    except BaseException as error:  # of a library, on a file that it did not expect
        arrays.clear()
        failure = f"{type(error).__name__}: {one_line(error)}"
        return {"failure": failure, "of": apart_memory.noted()}


def _lacked_memory(error: BaseException | None) -> bool:
    """Whether an error was made of one of memory."""
    while error is not None and not isinstance(error, MemoryError):
        error = error.__context__
    return error is not None


def _limit(memory: int, seconds: int) -> None:
    """Bounds what this process may take from here on, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        spent = int(sum(os.times()[:2])) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds + spent, seconds + spent + 5))
        with open("/proc/self/statm", encoding="ascii") as stream:
            taken = int(stream.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory, taken + memory))


def _encoded(part: Any, arrays: list[np.ndarray]) -> Any:
    """JSON values, in which an array is a description; its place is filled in by `apart_memory`."""
    if isinstance(part, np.ndarray):
        if part.dtype.hasobject or part.dtype.fields:
            raise ValueError(f"it holds an array of {part.dtype}")
        axes = sorted(range(part.ndim), key=lambda axis: -part.strides[axis])
        arrays.append(part.transpose(axes))  # copied as it lies: MATLAB's arrays by columns
        return {"array": [part.dtype.str, list(part.shape), len(arrays) - 1, axes]}
    if isinstance(part, dict):
        return {"dict": [[name, _encoded(each, arrays)] for name, each in part.items()]}
    if isinstance(part, (list, tuple)):
        return [_encoded(each, arrays) for each in part]
    return part.item() if isinstance(part, np.generic) else part
