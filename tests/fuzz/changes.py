"""Random changes of good files, in their bytes and in what is packed inside them."""

import contextlib
import gzip
import io
import json
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

LENGTHS = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]
VALUES: list[Any] = [None, True, 0, -1, 1e308, 2**70, "", "x" * 1000, "\x1b[31m\n<b>", [], {}]
VALUES += [float("nan"), [[[]]], {"value": {}}, ["a", 1]]
PNG = b"\x89PNG\r\n\x1a\n"


def changed(whole: bytes, rng: np.random.Generator) -> bytes:
    """A copy with one to four changes; half of them below checksums, where the format has such."""
    if rng.integers(2):
        with contextlib.suppress(ValueError, zipfile.BadZipFile):
            return inside(whole, rng)
    return of_bytes(whole, rng)


def inside(whole: bytes, rng: np.random.Generator) -> bytes:
    """A copy whose changes lie within the parts that it is packed of.

    Raises:
        ValueError: it is of no such format.
    """
    if whole.startswith(b"PK\x03\x04"):
        return _zip(whole, rng)
    if whole.startswith(b"\x1f\x8b"):
        return gzip.compress(of_bytes(gzip.decompress(whole), rng), 1)
    if whole.startswith(PNG):
        return _png(whole, rng)
    lines = whole.split(b"\n")
    if whole.lstrip().startswith(b"{") and len(lines) > 2 and lines[0].endswith(b"}"):
        at = int(rng.integers(len(lines) - 1))  # one object per line
        lines[at] = _json(lines[at], rng)
        return b"\n".join(lines)
    return _json(whole, rng)


def of_bytes(whole: bytes, rng: np.random.Generator) -> bytes:
    """A copy of which bytes are changed, overwritten by lengths, cut or repeated."""
    content = bytearray(whole)
    for _ in range(rng.integers(1, 5)):
        at, kind = int(rng.integers(max(1, len(content)))), rng.integers(5)
        if not content:
            break
        if kind == 0:
            content[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            content[at] = int(rng.integers(256))
        elif kind == 2:
            size = int(rng.choice([1, 2, 4, 8]))
            length = int(LENGTHS[rng.integers(len(LENGTHS))]) % 256**size
            order = "little" if rng.integers(2) else "big"
            content[at : at + size] = length.to_bytes(size, order)  # type: ignore[arg-type]
        elif kind == 3 and at:
            del content[at:]
        else:
            content[at:at] = content[at : at + int(rng.integers(64))]
    return bytes(content)


def _zip(whole: bytes, rng: np.random.Generator) -> bytes:
    """One member is changed; the directory and its checksums fit."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as before, zipfile.ZipFile(out, "w") as after:
        members = before.infolist()
        chosen = members[rng.integers(len(members))].filename
        for member in members:
            content = before.read(member)
            if member.filename == chosen:
                content = of_bytes(content, rng)
            after.writestr(member.filename, content, member.compress_type)
    return out.getvalue()


def _png(whole: bytes, rng: np.random.Generator) -> bytes:
    """One chunk is changed; its checksum fits."""
    chunks, place = [], len(PNG)
    while place < len(whole):
        (size,) = struct.unpack(">I", whole[place : place + 4])
        chunks.append((whole[place + 4 : place + 8], whole[place + 8 : place + 8 + size]))
        place += size + 12
    at = int(rng.integers(len(chunks)))
    chunks[at] = (chunks[at][0], of_bytes(chunks[at][1], rng))
    return PNG + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _json(whole: bytes, rng: np.random.Generator) -> bytes:
    """One value, anywhere, is another one, or is gone."""
    tree = json.loads(whole)
    places: list[tuple[Any, Any]] = []

    def collect(part: Any) -> None:
        items = part.items() if isinstance(part, dict) else enumerate(part)
        for key, value in list(items):
            places.append((part, key))
            if isinstance(value, (dict, list)):
                collect(value)

    if not isinstance(tree, (dict, list)):
        raise ValueError("a single value")
    collect(tree)
    if places:
        part, key = places[rng.integers(len(places))]
        if rng.integers(4):
            part[key] = VALUES[rng.integers(len(VALUES))]
        else:
            del part[key]
    return json.dumps(tree).encode()
