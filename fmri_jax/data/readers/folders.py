"""What lies in a folder: files as their owner sees them, hidden ones left out, absent ones named.

Linked folders are entered as `ls -L` enters them. Left out is what no person put there:
`.DS_Store`, the `._` files (AppleDouble) of a Mac's copies, `.ipynb_checkpoints`, `.git`. A link
whose target is gone, or a file whose content DataLad, git-annex or Git LFS have not fetched, stays
in the list, and whoever needs its content gets an error that says so (`check_fetched`).
"""

import os
import pathlib
from collections.abc import Callable, Iterator

from fmri_jax.errors import InputError

_POINTERS = (b"/annex/objects/", b".git/annex/objects/", b"version https://git-lfs")
_LARGEST_POINTER = 32 * 1024  # bytes; git-annex reads no longer ones as pointers


def files_in(
    folder: pathlib.Path, skip: Callable[[pathlib.PurePosixPath], bool] = lambda _: False
) -> Iterator[pathlib.Path]:
    """The files of a folder and of its subfolders, linked ones too, in the order of their paths.

    Args:
        folder: where to look.
        skip: of the path of a file or subfolder relative to `folder`: whether to leave it out.

    Yields:
        Paths that begin with `folder`; a link to a folder that contains it is not entered.
    """
    yield from _files(folder, pathlib.PurePosixPath(), skip, frozenset())


def _files(
    folder: pathlib.Path,
    relative: pathlib.PurePosixPath,
    skip: Callable[[pathlib.PurePosixPath], bool],
    entered: frozenset[str],
) -> Iterator[pathlib.Path]:
    real = os.path.realpath(folder)
    if real in entered:
        return
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in entries)
    except OSError as error:
        raise InputError(f"{folder} cannot be listed ({error.strerror}): allow it.") from None
    for name, is_folder in found:
        inside, path = relative / name, folder / name
        if is_hidden(name) or skip(inside):
            continue
        if is_folder:
            yield from _files(path, inside, skip, entered | {real})
        else:
            yield path


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name was put there by a program for itself."""
    return name.startswith((".", "__MACOSX"))


def check_fetched(path: pathlib.Path) -> None:
    """Raises an error if the content of a file is elsewhere.

    Raises:
        InputError: it is a link whose target is absent, or stands for a file that DataLad,
            git-annex or Git LFS have not fetched.
    """
    if path.is_symlink() and not path.exists():
        target = os.readlink(path)
        if "annex/objects" in target.replace("\\", "/"):
            raise _unfetched(path)
        raise InputError(
            f"{path} is a link to {target}, which does not exist: expected its file; bring it back "
            "or remove the link."
        )
    if path.is_file() and path.stat().st_size <= _LARGEST_POINTER:
        with path.open("rb") as file:
            start = file.read(64)
        if start.startswith(_POINTERS):
            raise _unfetched(path)


def _unfetched(path: pathlib.Path) -> InputError:
    return InputError(
        f"{path} is not fetched yet: what lies there is a pointer of DataLad, git-annex or Git "
        f"LFS, not the file; run 'datalad get {path.name}' (or git annex get, git lfs pull)."
    )
