"""JSON files of a run: complete or absent, and, where it matters, with a digest of their own."""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from fmri_jax.files import replacing

_DIGEST = "sha256"  # the last entry of a sealed file


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes JSON so that a reader sees either the complete file or none."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def read_json(path: pathlib.Path) -> Any:
    """Reads what `write_json` wrote.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is neither JSON nor text.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_sealed(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object with a digest of what it says."""
    write_json(path, {**content, _DIGEST: digest(content)})


def read_sealed(path: pathlib.Path) -> dict[str, Any] | None:
    """What `write_sealed` wrote, or None where it is missing, unreadable or not what was written.

    Files of earlier versions have no digest.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    expected = content.pop(_DIGEST, None)
    return content if expected in (None, digest(content)) else None


def digest(content: Any) -> str:
    """The SHA-256 of JSON values, whatever the order of names and the layout of the file."""
    text = json.dumps(json.loads(json.dumps(content)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
