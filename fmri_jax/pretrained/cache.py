"""Ported weights as safetensors in the user's cache folder, complete or absent."""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmri_jax import digests
from fmri_jax.errors import InputError
from fmri_jax.files import cache_folder, replacing


def folder() -> pathlib.Path:
    """Where ported weights are kept."""
    return cache_folder() / "weights"


def save(name: str, arrays: Mapping[str, np.ndarray], origin: str) -> None:
    """Keeps ported arrays; readers see the complete file or none. A cache that cannot be written is
    done without."""
    from safetensors.numpy import save as to_bytes

    content = to_bytes(dict(arrays), metadata={"origin": origin})
    record = {"origin": origin, "sha256": hashlib.sha256(content).hexdigest()}
    record["check"] = _check(record)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        _replace(_record(name), json.dumps(record).encode())
        _replace(_file(name), content)
    except (OSError, InputError):  # a folder that cannot be written, or no home to have one in
        return


def load(name: str) -> dict[str, np.ndarray] | None:
    """The kept arrays, or None where there are none or the file is not as it was written."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    record = describe(name)
    try:
        content = _file(name).read_bytes()
    except (OSError, InputError):
        return None
    if record is None or hashlib.sha256(content).hexdigest() != record["sha256"]:
        return None
    try:
        return from_bytes(content)
    except SafetensorError:
        return None


def is_intact(name: str) -> bool:
    """Whether kept weights are as they were written."""
    record = describe(name)
    if record is None:
        return False
    return digests.digest(_file(name)) == record["sha256"]


def describe(name: str) -> dict[str, Any] | None:
    """Origin and checksum of kept weights, or None without an intact record of them."""
    try:
        record = json.loads(_record(name).read_text(encoding="utf-8"))
        if not all(isinstance(record[key], str) for key in ("origin", "sha256")):
            return None
    except (OSError, ValueError, TypeError, KeyError):  # ValueError: neither JSON nor text, too
        return None
    as_written = record.get("check", _check(record)) == _check(record)  # earlier versions have none
    return record if as_written and _file(name).exists() else None


def _check(record: Mapping[str, str]) -> str:
    """A digest of the record itself."""
    return hashlib.sha256(f"{record['origin']}\n{record['sha256']}".encode()).hexdigest()


def _file(name: str) -> pathlib.Path:
    return folder() / f"{name}.safetensors"


def _record(name: str) -> pathlib.Path:
    return folder() / f"{name}.json"


def _replace(path: pathlib.Path, content: bytes) -> None:
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)
