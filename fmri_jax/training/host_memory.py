"""How a process on CPU runs programs and keeps the memory that they free.

XLA allocates a step's arrays in each step. glibc maps large arrays from the kernel, page by page,
and gives them back when they are freed: a step at 227 px takes half a million page faults. Freed
memory can stay with the process, but only in the heap of its first thread: those of other threads
hold no large arrays. So programs should run in the thread that calls them.

Measured on 2 cores, batch 32, before `gradients`: seconds of a step, its processor seconds, seconds
of compiling.

    .                                227 px           64 px
    neither                          3.3 6.1 16       .16  .31  4.1
    freed memory kept                2.9 5.5 20       .15  .28  5.6
    and programs run in the caller   2.8 5.2 16       .125 .245 3.4
"""

import ctypes
import sys

import jax

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_KEEP = (
    (_MMAP_MAX, 0),  # every array comes from the heap, however large
    (_TRIM_THRESHOLD, -1),  # the heap never shrinks
)
# All threads share the first one's heap, and wait for each other: compiling takes a third longer.
_ONE_HEAP = ((_ARENA_MAX, 1),)


def run_in_caller() -> None:
    """Lets XLA run programs on CPU in the thread that calls them, which then waits for the result.

    By default another thread does, and Python goes on: worth something where it has work to do,
    which the loop of training has not. Changes nothing on other platforms, and no number.

    For a process of our own, before it uses JAX: later it has no effect, and `keep_freed_memory`
    would believe that it had.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def keep_freed_memory() -> bool:
    """Lets the process keep large freed arrays, instead of mapping and zeroing them anew.

    The setting holds for the whole process and changes no number. Peak memory at 227 px grows from
    4.1 to 4.5 GiB. Where the C library is another one than glibc nothing happens.

    Returns:
        Whether the library took the setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):  # musl has `mallopt` nowhere
        return False
    elsewhere = jax.config.values["jax_cpu_enable_async_dispatch"]
    settings = _KEEP + (_ONE_HEAP if elsewhere else ())
    return all([library.mallopt(name, value) == 1 for name, value in settings])
