"""Digests of the files of a folder, by which damage is found before anything is believed.

`SHA256SUMS` lies in the folder itself, one line per file in the format of the command `sha256sum`
(`sha256sum --check SHA256SUMS` compares them too). It is written last, so that a folder that has it
is complete. A folder within that has a `SHA256SUMS` of its own is represented by that file.
"""

import hashlib
import pathlib
import re
from collections.abc import Collection
from types import ModuleType

from fmri_jax.files import replacing

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^\0]+)")


def seal(folder: pathlib.Path, leave_out: Collection[str] = ()) -> None:
    """Writes the digests of all files of a folder but hidden ones.

    Args:
        folder: it is complete.
        leave_out: names of files and folders in it that may change later.
    """
    lines = [f"{digest(folder / name)}  {name}\n" for name in _names(folder, leave_out)]
    with replacing(folder / SUMS) as unfinished:
        unfinished.write_text("".join(lines), encoding="utf-8")


def reseal(folder: pathlib.Path, written: Collection[str]) -> None:
    """Replaces the digests of files that were written again; those of others stay as they are.

    Args:
        folder: one without digests stays without.
        written: names of files, or of folders whose files were all written.
    """
    path = folder / SUMS
    if not path.is_file():
        return
    new = {name for name in _names(folder, ()) if name.split("/")[0] in written}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if line.partition("  ")[2].split("/")[0] not in written]
    kept += [f"{digest(folder / name)}  {name}" for name in sorted(new)]
    with replacing(path) as unfinished:
        unfinished.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def damaged(folder: pathlib.Path, only: Collection[str] = ()) -> list[str] | None:
    """The files of a sealed folder that are not as they were, or not there; None if not sealed.

    Files that have come since count for nothing. A `SHA256SUMS` that has other lines than `seal`
    writes names itself, if no other file is damaged.

    Args:
        folder: that `seal` was called with.
        only: names of files that are compared; all if empty.
    """
    path = folder / SUMS
    if not path.is_file():
        return None
    text = path.read_bytes().decode("utf-8", "replace")
    lines = [_LINE.fullmatch(line) for line in text.split("\n")[:-1]]
    pairs = [(line[1], line[2]) for line in lines if line and _is_within(line[2])]
    found = [
        name
        for expected, name in pairs
        if (not only or name in only) and not _is(folder / name, expected)
    ]
    intact = text.endswith("\n") and len(pairs) == len(lines)
    return found or ([] if intact else [SUMS])


def _is_within(name: str) -> bool:
    """Whether a name is one that `seal` writes: whoever finds a file damaged may move it away."""
    path = pathlib.PurePath(name)
    return not path.is_absolute() and ".." not in path.parts


def _is(path: pathlib.Path, expected: str) -> bool:
    """Whether a file is there and has this digest."""
    try:
        return path.is_file() and digest(path) == expected  # a device may never end
    except OSError:
        return False


def digest(path: pathlib.Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_code(*modules: ModuleType) -> str:
    """The SHA-256 of the source of modules, and of all files directly in packages."""
    found = hashlib.sha256()
    for module in modules:
        path = pathlib.Path(str(module.__file__))
        for file in sorted(path.parent.glob("*.py")) if hasattr(module, "__path__") else [path]:
            found.update(file.read_bytes())
    return found.hexdigest()


def sealed_folders(folder: pathlib.Path) -> list[pathlib.Path]:
    """The folders below and including `folder` that have digests, in order."""
    return sorted(path.parent for path in folder.rglob(SUMS))


def _names(folder: pathlib.Path, leave_out: Collection[str]) -> list[str]:
    """The files that count, as paths in the folder."""
    names = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in leave_out or path.name == SUMS:
            continue
        if path.is_file():
            names.append(path.name)
        elif (path / SUMS).is_file():
            names.append(f"{path.name}/{SUMS}")
        else:
            names += [f"{path.name}/{name}" for name in _names(path, ())]
    return names
