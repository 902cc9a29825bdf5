"""Reads files of strangers in a process of its own, with limits on memory and time.

Libraries written in C can crash, never return or take all memory on a file that is corrupt, or that
someone made to do so. Here that ends the child alone, and becomes one message. Children are forks
of a process that is kept (`apart_process`) and imports readers, not JAX; their arrays come back
through memory that both share (`apart_memory`).

`FMRI_JAX_READER_MEMORY` (GiB) and `FMRI_JAX_READER_SECONDS` (of the processor) change the limits;
with `FMRI_JAX_READ_APART=0` files are read in this process, without limits.
"""

import importlib
import os
import pathlib
import signal
import tempfile
import warnings
from typing import IO, Any

from fmri_jax import apart_memory, apart_process
from fmri_jax.errors import InputError, one_line, plain

GIB = 2**30


def call(function: str, what: str, size: int, /, **arguments: Any) -> Any:
    """Calls a function in a process of its own.

    Args:
        function: "module:name"; it returns JSON values and arrays, in dicts, lists and tuples.
        what: the file that is read, for messages.
        size: of what is read, in bytes; the limits grow with it.
        **arguments: JSON values.

    Returns:
        What the function returned; tuples have become lists.

    Raises:
        InputError: the function raised it, or the child ended otherwise.
    """
    if os.environ.get("FMRI_JAX_READ_APART") == "0":
        return resolve(function)(**arguments)
    if not apart_process.possible():
        return _here(function, what, arguments)
    memory, seconds = limits(size)
    request = {
        "function": function,
        "arguments": arguments,
        "memory": memory,
        "seconds": seconds,
    }
    with _shared_file() as file:
        code = apart_process.run(request, file.fileno())
        return _result(code, apart_memory.read(file.fileno()), what, memory, seconds)


def call_on(function: str, path: pathlib.Path) -> Any:
    """Calls a function of one file's path; otherwise as `call`."""
    size = path.stat().st_size if path.is_file() else 0
    return call(function, str(path), size, name=str(path))


def _here(function: str, what: str, arguments: dict[str, Any]) -> Any:
    """As `call`, in this process, where the system cannot give a file to a child."""
    try:
        return resolve(function)(**arguments)
    except InputError:
        raise
    except Exception as error:  # of a library, on a file that it did not expect
        raise _corrupt(what, f"{type(error).__name__}: {error}") from error


def resolve(function: str) -> Any:
    """The function that "module:name" names."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def limits(size: int) -> tuple[int, int]:
    """Bytes of memory and seconds of the processor for what is read from `size` bytes.

    By default 4 GiB and twenty times the size, as compressed files unpack, but never more than is
    free, and a minute and 2 s per MiB.

    Raises:
        InputError: an environment variable is no number.
    """
    memory = min(4 * GIB + 20 * size, int(0.9 * _free_memory()))
    seconds = 60 + 2 * size // 2**20
    given = {}
    for name in ("FMRI_JAX_READER_MEMORY", "FMRI_JAX_READER_SECONDS"):
        text = os.environ.get(name, "")
        try:
            given[name] = float(text) if text else 0.0
        except ValueError:
            raise InputError(
                f"{name} is {text!r}: expected a number; correct or unset it."
            ) from None
    return (
        int(given["FMRI_JAX_READER_MEMORY"] * GIB) or memory,
        int(given["FMRI_JAX_READER_SECONDS"]) or seconds,
    )


def _free_memory() -> int:
    """Bytes of memory that can be had, as far as the system says."""
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            lines = dict(line.split(":", 1) for line in stream)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 2**63


def _shared_file() -> IO[bytes]:
    """A file in memory, where the system has such, that a child can write."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("fmri_jax"), "r+b")
    return tempfile.TemporaryFile()


def _result(code: int, answer: dict[str, Any], what: str, memory: int, seconds: int) -> Any:
    """What the child has answered, or why it has not."""
    if code or "noted" in answer:
        raise _died(code, answer.get("noted") or what, memory, seconds)
    for kind, text in answer["warnings"]:
        category = RuntimeWarning if kind == "RuntimeWarning" else UserWarning
        warnings.warn(plain(text), category, stacklevel=4)
    if "error" in answer:
        raise InputError(answer["error"])
    if "memory" in answer:
        raise _died(-signal.SIGKILL, answer["memory"] or what, memory, seconds)
    if "failure" in answer:
        raise _corrupt(answer["of"] or what, answer["failure"])
    return answer["result"]


def _corrupt(what: str, why: str) -> InputError:
    return InputError(
        f"{what} cannot be read ({one_line(why)}): the file is corrupt, or of a kind that is not "
        "expected; copy or write it again."
    )


def _died(code: int, what: str, memory: int, seconds: int) -> InputError:
    """The message for a child that ended without an answer."""
    if code == -signal.SIGXCPU:
        return InputError(
            f"{what} was not read within {seconds} s of the processor's time: the file is corrupt; "
            "copy it again, or set FMRI_JAX_READER_SECONDS to more."
        )
    if code in (-signal.SIGKILL, -signal.SIGABRT):  # C++ aborts where it gets no memory
        return InputError(
            f"{what} takes more than {memory / GIB:.1f} GiB of memory to read: it is corrupt, or "
            "larger than this computer's memory; set FMRI_JAX_READER_MEMORY to more GiB, or copy "
            "it again."
        )
    reason = signal.strsignal(-code) if code < 0 else f"exit code {code}"
    return InputError(
        f"{what} cannot be read: its library ended with {reason}; the file is corrupt; copy or "
        "write it again."
    )
