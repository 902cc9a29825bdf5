"""Compiled programs, kept in the user's cache folder so that only a first run compiles.

JAX writes such a file in place and never again: one that a killed process has written in part would
stay for ever, and each later run would compile anew. Here a file appears when it is complete, ends
in a digest of itself, and is removed where that does not fit.
"""

import hashlib
import pathlib

import jax

from fmri_jax.errors import InputError
from fmri_jax.files import cache_folder, replacing

_DIGEST = 32  # bytes at the end of a file: the SHA-256 of those before


def keep() -> None:
    """Has programs that take long to compile kept; without a folder to write to none are."""
    if jax.config.values["jax_compilation_cache_dir"]:
        return
    try:
        folder = cache_folder() / "xla"
        folder.mkdir(parents=True, exist_ok=True)
    except (InputError, OSError):
        return
    _check_files()
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def _check_files() -> None:
    """Has JAX read and write the files as this module describes.

    JAX has no public way to do so. A version that does it otherwise keeps its own.
    """
    try:
        from jax._src import compilation_cache

        class Programs(compilation_cache.LRUCache):
            """Programs by key; their files are complete and intact."""

            def get(self, key: str) -> bytes | None:
                """The program, or None if there is none that is intact."""
                return read(pathlib.Path(str(self.path)) / f"{key}-cache")

            def put(self, key: str, value: bytes) -> None:
                """Keeps a program."""
                write(pathlib.Path(str(self.path)) / f"{key}-cache", value)

        compilation_cache.LRUCache = Programs  # type: ignore[misc]
    except (ImportError, AttributeError):
        return


def write(path: pathlib.Path, program: bytes) -> None:
    """Writes a program and its digest, complete or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(program + hashlib.sha256(program).digest())


def read(path: pathlib.Path) -> bytes | None:
    """The program that `write` wrote, or None; a file that is anything else is removed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    program, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(program).digest() == digest:
        return program
    path.unlink(missing_ok=True)
    return None
