"""What a fit takes of device, host and disk at least: stated, and compared with what there is."""

import dataclasses
import functools
import math
import pathlib
import shutil
import sys
from typing import Protocol

import jax
import psutil

from fmri_jax.errors import InputError

_GROUP = pathlib.Path("/sys/fs/cgroup")  # limits of a container


@dataclasses.dataclass(frozen=True)
class Needs:
    """Bytes beyond what is in use already. What libraries take while they compute comes on top.

    Attributes:
        device: memory of one device.
        host: memory of the host.
        disk: of the folder that takes the results.
        cure: the options that make it less, for a message.
    """

    device: int = 0
    host: int = 0
    disk: int = 0
    cure: str = ""

    def __add__(self, more: "Needs") -> "Needs":
        """What both take together."""
        cure = ", or ".join(filter(None, (self.cure, more.cure)))
        both = (self.device + more.device, self.host + more.host, self.disk + more.disk)
        return Needs(*both, cure)


class Context(Protocol):
    """What is known of a run, such as `methods.RunContext`."""

    @property
    def workdir(self) -> pathlib.Path:
        """The folder of the run."""

    @property
    def progress(self) -> bool:
        """Whether anybody watches."""


def check(needs: Needs, context: Context, what: str) -> None:
    """Says what something takes, and rejects what there is no room for.

    On CPU the device's memory is the host's.

    Args:
        needs: of a fit.
        context: the folder that takes the results, made later if absent; and whether anybody
            watches.
        what: its name, such as "a fit".

    Raises:
        InputError: device, host or disk has too little room; both numbers are in the message.
    """
    on_host = jax.default_backend() == "cpu"
    folder = context.workdir
    wanted = {
        "memory of the device": (0 if on_host else needs.device, _free_on_device()),
        "memory": (needs.host + (needs.device if on_host else 0), free_memory()),
        f"room for files in {folder}": (needs.disk, _free_on_disk(folder)),
    }
    parts = [f"{size(n)} of {place}" for place, (n, _) in wanted.items() if n]
    if context.progress:
        say(f"{what} takes at least {', '.join(parts) or 'little'}")
    for place, (n, free) in wanted.items():
        if free is not None and n > free:
            raise InputError(
                f"{what} takes at least {size(n)} of {place}, and {size(free)} are free: "
                f"free some{f', or {needs.cure}' if needs.cure else ''}."
            )


def size(n_bytes: int) -> str:
    """A number of bytes for people."""
    mib = n_bytes / 2**20
    return f"{mib / 1024:,.1f} GiB" if mib >= 1000 else f"{math.ceil(mib):,} MiB"


@functools.cache
def say(text: str) -> None:
    """Prints a line to standard error, the first time that it is given."""
    print(f"fmri_jax: {text}", file=sys.stderr, flush=True)


def free_memory() -> int:
    """Bytes that this process may still take of the host's memory, or of its container's."""
    free = psutil.virtual_memory().available + psutil.swap_memory().free
    try:
        limit = int((_GROUP / "memory.max").read_text())
        within = limit - int((_GROUP / "memory.current").read_text()) + _reclaimable()
    except (OSError, ValueError):  # no limit is the word "max"
        return free
    return max(0, min(free, within))


def _reclaimable() -> int:
    """Bytes of files that a container's kernel keeps in memory, and gives back when asked."""
    lines = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
    return int(lines.get("inactive_file", 0))


def _free_on_device() -> int | None:
    found = jax.local_devices()[0].memory_stats() or {}
    if not found.get("bytes_limit"):
        return None
    return int(found["bytes_limit"]) - int(found.get("bytes_in_use", 0))


def _free_on_disk(folder: pathlib.Path) -> int | None:
    exists = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(exists).free
