"""How a process on CPU runs programs and keeps the memory that they free.

XLA allocates a step's arrays in each step. glibc maps large arrays from the kernel, page by page,
and gives them back when they are freed: a step at 227 px takes 300,000 page faults. Freed
memory can stay with the process, but only in the heap of its first thread: those of other threads
hold no large arrays. So programs should run in the thread that calls them.

Measured on 2 cores, batch 32, the better of two runs each: seconds of a step,
processor seconds, page faults.

    .                            227 px              64 px
    neither                      2.81 5.5 298,000    .138 .27 15,000
    freed memory kept            2.81 5.5 256,000    .122 .24 0
    programs run in the caller   2.82 5.5 298,000    .139 .27 15,000
    both                         2.49 4.9 200        .122 .24 0
"""

import ctypes
import sys

import jax

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_SETTINGS = (
    (_MMAP_MAX, 0),  # every array comes from the heap, however large
    (_TRIM_THRESHOLD, -1),  # the heap never shrinks
)


def run_in_caller() -> None:
    """Lets XLA run programs on CPU in the thread that calls them, which then waits for the result.

    By default another thread does, and Python continues: worth something where it has work to do,
    which the loop of training has not. Changes nothing on other platforms, and no number.

    For a process of our own, before it uses JAX: later it has no effect.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def keep_freed_memory() -> bool:
    """Lets the process keep large freed arrays, instead of mapping and zeroing them anew.

    The setting is one of the process and changes no number. Peak memory at 227 px grows from
    4.1 to 4.5 GiB. Where the C library is another one than glibc nothing happens.

    Returns:
        Whether the library took the setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):  # musl has `mallopt` nowhere
        return False
    return all([library.mallopt(name, value) == 1 for name, value in _SETTINGS])
