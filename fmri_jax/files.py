"""Files that are complete or absent, locks, paths as people write them, and the cache folder."""

import contextlib
import errno
import os
import pathlib
import platform
import re
import shutil
from collections.abc import Iterator

from fmri_jax.errors import InputError, one_line

VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


def cache_folder() -> pathlib.Path:
    """Where this package keeps what it fetches and prepares: `FMRI_JAX_CACHE`, or in ~/.cache.

    Raises:
        InputError: `FMRI_JAX_CACHE` names a variable that is not set, or it is not set and the user
            has no home folder, as in a container that runs under a number without a name.
    """
    given = os.environ.get("FMRI_JAX_CACHE")
    try:
        return place(given or "~/.cache/fmri_jax")
    except InputError as error:
        raise InputError(
            f"The cache folder cannot be found: {error} Set FMRI_JAX_CACHE to a folder that can be "
            "written."
        ) from None


def place(path: str | os.PathLike[str]) -> pathlib.Path:
    """A path that a person gives, `expanded`."""
    return pathlib.Path(expanded(os.fspath(path)))


def expanded(path: str) -> str:
    """A path with `~` and $VARIABLES replaced, unless a file or folder has this very name.

    Raises:
        InputError: a variable is not set, or empty: the rest of the path would be another one; or
            the path begins with `~` and there is no such home folder; or the system cannot look
            there.
    """
    found = replaced(path)
    if _exists(found):
        return found
    if missing := VARIABLE.search(found):
        name = missing[1] or missing[2]
        state = "empty" if name in os.environ else "not set"
        raise InputError(
            f"{path!r} cannot be found because the environment variable {name} is {state}: "
            f"set {name} to the folder that is meant, or give the complete path."
        )
    if found.startswith("~"):
        whose = found[1:].partition("/")[0]
        raise InputError(
            f"{path!r} begins with the home folder of {whose or 'this user'}, which is unknown: "
            "set HOME, or give the complete path."
        )
    return found


def _exists(path: str) -> bool:
    """Whether something stands at a path.

    Raises:
        InputError: a folder on the way may not be searched, or the path is none: too long, links
            that lead to themselves, a null byte.
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(
            f"{one_line(path, 100)} cannot be looked at ({reason}): expected a path of a file or "
            "folder; check the path."
        ) from None
    return True


def replaced(path: str) -> str:
    """As `expanded`, where a variable that is not set, or empty, and an unknown `~` stay."""
    if os.path.exists(path):
        return path
    values = VARIABLE.sub(lambda name: os.environ.get(name[1] or name[2]) or name[0], path)
    return os.path.expanduser(values)


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a path to write to; it takes the place of `path` only when it is complete.

    The file in the making bears the number of this process, so that several may write `path` at
    once: the last one to finish has it. It is removed if writing fails; only a process that is
    killed leaves it (see `remove_unfinished`).
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        put(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def put(complete: pathlib.Path, path: pathlib.Path) -> None:
    """Renames a file or folder that is complete, so that a power cut leaves all of it or nothing.

    A system may carry out a rename before it has written what the file holds: both are waited for.

    Args:
        complete: what was written, on the same file system.
        path: its name from now on; a file there is replaced.
    """
    make_durable(complete)
    os.replace(complete, path)
    _synchronise(path.parent)


def make_durable(path: pathlib.Path) -> None:
    """Waits until a file, or a folder with all that it holds, is on the disk."""
    inside = [] if path.is_file() else sorted(path.rglob("*"), reverse=True)
    for place in (*inside, path):
        _synchronise(place)


def _synchronise(path: pathlib.Path) -> None:
    """Waits until the disk holds a file's content, or which files a folder has.

    File systems that know no such request, as some over a network, are taken as they are.
    """
    flags = os.O_RDONLY if os.name == "posix" else os.O_RDWR
    try:
        descriptor = os.open(path, flags)
    except OSError:  # a folder on Windows
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT):  # it is not on the disk
            raise
    finally:
        os.close(descriptor)


def remove_unfinished(folder: pathlib.Path) -> None:
    """Removes what killed processes have left in a folder where no living one writes."""
    for path in list(folder.rglob(".*.unfinished")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def set_aside(path: pathlib.Path) -> pathlib.Path:
    """Renames a damaged file or folder, if it is there, to `.<name>.damaged`.

    One that was set aside earlier is replaced.

    Returns:
        Where it is now.
    """
    place = path.with_name(f".{path.name}.damaged")
    if path.exists():
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        os.replace(path, place)
    return place


@contextlib.contextmanager
def locked(path: pathlib.Path, wait: bool = False) -> Iterator[bool]:
    """Holds the lock that the file `path` stands for; the file is there only while it is held.

    The system takes the lock back from a process that dies, whose file the next holder takes over.

    Args:
        path: the file; its folder exists.
        wait: whether to wait for another process that holds it.

    Yields:
        Whether the lock is held: False where the file system has none or cannot be written.

    Raises:
        BlockingIOError: another process holds it; the message says which.
    """
    import filelock
    from absl import logging

    holder = _holder(path)
    # A lock of its own kind, which outlives a process that is killed, is worse than none.
    lock = filelock.FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if not wait:
            raise BlockingIOError(holder) from None
        logging.warning("waiting for %s, which holds %s", holder, path)
        lock.acquire()
    except OSError as error:  # a folder that cannot be written, or a file system without locks
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
            path.unlink(missing_ok=True)  # nobody has locks there
    if lock.is_locked:
        with contextlib.suppress(OSError):
            path.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
    try:
        yield lock.is_locked
    finally:
        if lock.is_locked:
            with contextlib.suppress(OSError):  # a folder that was removed or made read-only
                path.unlink()  # while it is held: nobody else's is removed
            lock.release()


def _holder(path: pathlib.Path) -> str:
    """Who holds a lock, as its file says."""
    try:
        return one_line(path.read_text(encoding="utf-8", errors="replace") or "another process")
    except OSError:
        return "another process"
