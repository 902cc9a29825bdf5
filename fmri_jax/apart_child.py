"""The child of `fmri_jax.apart`: calls one function within limits and writes what it returns."""

import contextlib
import json
import os
import signal
import sys
import warnings
from typing import Any, BinaryIO

import numpy as np

from fmri_jax import apart
from fmri_jax.errors import InputError, one_line
from fmri_jax.processes import end_with_parent

_ALIGNED = 64  # bytes: where an array begins


def serve(descriptor: int) -> None:
    """Takes one request from standard input and answers it in the file of the descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent has it, and ends this process
    request = json.loads(sys.stdin.buffer.read())
    end_with_parent(request["parent"])
    with (
        os.fdopen(descriptor, "wb", buffering=0) as stream,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("default")
        apart.take_notes(descriptor)
        arrays: list[np.ndarray] = []
        answer = _answer(request, arrays)
        answer["warnings"] = [[type(w.message).__name__, str(w.message)] for w in caught]
        _write(stream, answer, arrays)


def _answer(request: dict[str, Any], arrays: list[np.ndarray]) -> dict[str, Any]:
    """What is written for the parent; the arrays of the result are added to `arrays`."""
    try:
        function = apart.resolve(request["function"])
        _limit(request["memory"], request["seconds"])
        found = _encoded(function(**request["arguments"]), arrays)
        json.dumps(found)  # raises here what it would raise in `_write`
        return {"result": found}
    except InputError as error:
        if _lacked_memory(error):  # the file need not be corrupt, as its reader says
            return {"memory": apart.noted()}
        return {"error": str(error)}
    except MemoryError:
        arrays.clear()
        return {"memory": apart.noted()}
    except BaseException as error:  # of a library, on a file that it did not expect
        arrays.clear()
        failure = f"{type(error).__name__}: {one_line(error)}"
        return {"failure": failure, "of": apart.noted()}


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
    """JSON values, in which an array is a description; its start is filled in by `_write`."""
    if isinstance(part, np.ndarray):
        if part.dtype.hasobject or part.dtype.fields:
            raise ValueError(f"it holds an array of {part.dtype}")
        arrays.append(part)
        return {"array": [part.dtype.str, list(part.shape), len(arrays) - 1]}
    if isinstance(part, dict):
        return {"dict": [[name, _encoded(each, arrays)] for name, each in part.items()]}
    if isinstance(part, (list, tuple)):
        return [_encoded(each, arrays) for each in part]
    return part.item() if isinstance(part, np.generic) else part


def _write(stream: BinaryIO, answer: dict[str, Any], arrays: list[np.ndarray]) -> None:
    """The header's length, the header, and each array where the header says."""
    room = len(json.dumps(answer)) + 20 * len(arrays) + 8  # starts are longer than numbers
    starts, place = [], -(-(room + 8) // _ALIGNED) * _ALIGNED
    for array in arrays:
        starts.append(place)
        place += -(-array.nbytes // _ALIGNED) * _ALIGNED
    header = json.dumps(_placed(answer, starts)).encode()
    stream.write(len(header).to_bytes(8, "little") + header)
    for start, array in zip(starts, arrays, strict=True):
        stream.seek(start)
        if array.size:
            np.ascontiguousarray(array).tofile(stream)
    stream.truncate(max(place, 8 + len(header)))


def _placed(part: Any, starts: list[int]) -> Any:
    """The answer with the place of each array instead of its number."""
    if isinstance(part, list):
        return [_placed(each, starts) for each in part]
    if not isinstance(part, dict):
        return part
    if "array" in part:
        dtype, shape, number = part["array"]
        return {"array": [dtype, shape, starts[number]]}
    return {name: _placed(each, starts) for name, each in part.items()}
