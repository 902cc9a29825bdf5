"""Damages of files, and what caches come to after them."""

import pathlib
from collections.abc import Callable

import numpy as np

DAMAGES: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "flipped": lambda content, rng: _flipped(content, rng),
    "cut": lambda content, rng: content[: rng.integers(max(1, len(content)))],
    "emptied": lambda content, rng: b"",
    "random": lambda content, rng: rng.bytes(len(content)),
}


def damage(files: list[pathlib.Path], rng: np.random.Generator) -> str:
    """Damages or deletes one of the files; returns which, and how."""
    path = files[rng.integers(len(files))]
    how = str(rng.choice([*DAMAGES, "deleted"]))
    if how == "deleted":
        path.unlink()
    else:
        path.write_bytes(DAMAGES[how](path.read_bytes(), rng))
    return f"{path.name} {how}"


def _flipped(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content or b"\0")
    changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)
