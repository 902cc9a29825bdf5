"""The file in memory through which a child of `fmri_jax.apart` answers.

    0       8 bytes: where the description of the answer begins; 0 while there is none
    8       what is read at the moment (`note`), up to a zero byte
    4096    arrays; behind them the description: JSON, to the end

Readers make large results with `empty`: these lie in this file from the beginning and reach the
parent without a copy. Other arrays that they return are written at the end.
"""

import contextlib
import dataclasses
import json
import math
import mmap
import os
from typing import Any

import numpy as np

_NOTE, _PAGE = 8, max(4096, mmap.PAGESIZE)  # where the note begins, and arrays
_ALIGNED = 64  # bytes: where an array begins that is written at the end
_STEP = 64 * 2**20  # bytes that the file grows by: each growth takes a descriptor


@dataclasses.dataclass
class _Room:
    """A piece of the file, as this process sees it."""

    memory: mmap.mmap
    start: int  # in the file
    address: int
    taken: int = 0
    arrays: list[tuple[int, int]] = dataclasses.field(default_factory=list)  # offset, bytes


class _Shared:
    """The file of this process, if it is a child, and what it has made there."""

    descriptor: int | None = None
    note = ""
    rooms: list[_Room] = []


def share(descriptor: int) -> None:
    """From here on notes and arrays go to a file; in a child."""
    _Shared.descriptor = descriptor
    os.ftruncate(descriptor, _PAGE)


def note(what: str) -> None:
    """Says what is read next, of many files: the message names it if it ends this process."""
    _Shared.note = what
    if _Shared.descriptor is not None:
        text = what.encode(errors="replace")[: _PAGE - _NOTE - 1]
        os.pwrite(_Shared.descriptor, text + b"\0", _NOTE)


def noted() -> str:
    """The last note, or nothing."""
    return _Shared.note


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """As `np.empty`, for what is returned to a parent, if this is a child.

    Raises:
        MemoryError: there is no room for it.
    """
    count, dtype = math.prod(shape), np.dtype(dtype)
    size = count * dtype.itemsize
    if _Shared.descriptor is None or size <= 0 or dtype.hasobject:
        return np.empty(shape, dtype)
    room = _room_for(_Shared.descriptor, size)
    offset = room.taken
    room.taken += _rounded(size, _PAGE)
    room.arrays.append((offset, size))
    return np.frombuffer(room.memory, dtype, count, offset).reshape(shape)


def put(block: bytes, array: np.ndarray, start: int) -> None:
    """Copies a block of bytes into an array of `empty`, (n,) uint8, from `start` on.

    In a child by a call of the system: each page that a process writes to first costs it more than
    the copy.

    Raises:
        MemoryError: there is no room for it.
        ValueError: it would reach beyond the array.
    """
    if start + len(block) > array.size:
        raise ValueError(f"{start + len(block)} bytes are more than {array.size}")
    place = _place(array)
    if place is None:
        array[start : start + len(block)] = np.frombuffer(block, np.uint8)
        return
    assert _Shared.descriptor is not None
    try:
        written = os.pwrite(_Shared.descriptor, block, place + start)
    except OSError as error:
        raise MemoryError(f"no room for {len(block)} bytes") from error
    if written < len(block):
        raise MemoryError(f"no room for {len(block)} bytes")


def _room_for(descriptor: int, size: int) -> _Room:
    """The last piece, if so many bytes are left in it, or a new one."""
    rooms = _Shared.rooms
    if rooms and len(rooms[-1].memory) - rooms[-1].taken >= size:
        return rooms[-1]
    start = _rounded(os.fstat(descriptor).st_size, mmap.ALLOCATIONGRANULARITY)
    length = max(_STEP, _rounded(size, _PAGE))
    try:
        os.ftruncate(descriptor, start + length)
        memory = mmap.mmap(descriptor, length, offset=start)
    except (OSError, OverflowError) as error:
        raise MemoryError(f"no room for {size} bytes") from error
    address = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
    rooms.append(_Room(memory, start, address))
    return rooms[-1]


def write(answer: Any, arrays: list[np.ndarray]) -> None:
    """Completes the file.

    Args:
        answer: JSON values; {"array": [type, shape, number, axes]} stands for an array.
        arrays: those, by their numbers, each with its axes in that order.
    """
    assert _Shared.descriptor is not None
    places = [_place(array) for array in arrays]
    with os.fdopen(os.dup(_Shared.descriptor), "r+b", buffering=0) as stream:
        end = stream.seek(0, os.SEEK_END)
        starts = []
        for array, place in zip(arrays, places, strict=True):
            if place is None:
                place = end = stream.seek(_rounded(end, _ALIGNED))
                if array.size:
                    np.ascontiguousarray(array).tofile(stream)
                end = place + array.nbytes
            starts.append(place)
        stream.seek(end)
        stream.write(json.dumps({"answer": answer, "starts": starts}).encode())
        _forget({place for place in places if place is not None})
        os.pwrite(stream.fileno(), end.to_bytes(_NOTE, "little"), 0)


def _place(array: np.ndarray) -> int | None:
    """Where an array lies in the file, if it does."""
    first = array.__array_interface__["data"][0]
    for room in _Shared.rooms:
        within = room.address <= first and first + array.nbytes <= room.address + room.taken
        if within and array.size and array.flags.c_contiguous:
            return room.start + first - room.address
    return None


def _forget(places: set[int]) -> None:
    """Gives back the memory of arrays that were made in the file, but are not in the answer."""
    if not hasattr(mmap, "MADV_REMOVE"):
        return
    for room in _Shared.rooms:
        for offset, size in room.arrays:
            start = room.start + offset
            if not any(start <= place < start + size for place in places):
                with contextlib.suppress(OSError):  # a file system that cannot
                    room.memory.madvise(mmap.MADV_REMOVE, offset, _rounded(size, _PAGE))


def _rounded(size: int, step: int) -> int:
    return -(-size // step) * step


def read(descriptor: int) -> dict[str, Any]:
    """In the parent: the child's answer, or its last note ("noted") if it has not completed one."""
    head = os.pread(descriptor, _PAGE, 0)
    start = int.from_bytes(head[:_NOTE], "little")
    if not start:
        return {"noted": head[_NOTE:].partition(b"\0")[0].decode(errors="replace")}
    # A page that this process writes to becomes its own, so that copies by `fork` stay apart.
    content = mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
    written = json.loads(content[start:])
    answer, starts = written["answer"], written["starts"]
    return {**answer, "result": _decoded(answer.get("result"), content, starts)}


def _decoded(part: Any, content: mmap.mmap, starts: list[int]) -> Any:
    """JSON values with the arrays in place of their descriptions."""
    if isinstance(part, list):
        return [_decoded(each, content, starts) for each in part]
    if not isinstance(part, dict):
        return part
    if "array" in part:
        dtype, shape, number, axes = part["array"]
        flat = np.frombuffer(content, np.dtype(dtype), math.prod(shape), starts[number])
        return flat.reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes))
    return {name: _decoded(each, content, starts) for name, each in part["dict"]}
