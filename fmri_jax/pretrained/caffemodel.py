"""Reads the weights out of a `.caffemodel`, a protocol-buffer message, and touches nothing else.

A message on the wire is a row of fields, each a key (field number and wire type, one varint) and a
value that says how long it is, so that a reader may step over every field that it does not know.
Of Caffe's messages these fields matter:

    NetParameter       2 layers (V1LayerParameter, before 2014), 100 layer (LayerParameter)
    V1LayerParameter   4 name, 6 blobs
    LayerParameter     1 name, 7 blobs
    BlobProto          5 data (float), 8 double_data, 7 shape; before it, 1-4 num, channels,
                       height, width
    BlobShape          1 dim

References:
    Protocol Buffers, "Encoding"; Caffe, src/caffe/proto/caffe.proto.
"""

import math
import pathlib
from collections.abc import Iterator

import numpy as np

from fmri_jax import apart
from fmri_jax.errors import InputError

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5  # wire types; groups are long gone
_FIXED_SIZE = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_MOST_AXES = 32  # of a blob in Caffe

# Field of NetParameter that holds layers -> the layer's own fields (name, blobs).
_LAYERS = {2: (4, 6), 100: (1, 7)}
_LEGACY_SHAPE = (1, 2, 3, 4)
_DATA = {5: "<f4", 8: "<f8"}
_SHAPE = 7


class _MalformedError(ValueError):
    """What is wrong with the bytes, for one message with the file's name."""


def load_caffemodel(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The blobs of every layer that has any, read in a process of its own.

    Args:
        path: a `.caffemodel`, whose layers are of either generation.

    Returns:
        "layer/number" -> array in Caffe's layout and shape: "conv1/0" is conv1's kernel
        (out, in / groups, h, w), "conv1/1" its bias.

    Raises:
        InputError: the file cannot be read, is truncated, or holds no such message.
    """
    return apart.call_on(f"{__name__}:read_caffemodel", path)


def read_caffemodel(name: str) -> dict[str, np.ndarray]:
    """As `load_caffemodel`, in this process."""
    path = pathlib.Path(name)
    try:
        blobs = _read_net(memoryview(path.read_bytes()))
        if not blobs:
            raise _MalformedError("no layer has weights")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}): give a .caffemodel.") from error
    except _MalformedError as error:
        raise InputError(
            f"{path} is not a complete .caffemodel ({error}): expected trained layers as "
            "Caffe writes them; get the file again, and not the .prototxt, which holds no weights."
        ) from error
    return blobs


def _read_net(net: memoryview) -> dict[str, np.ndarray]:
    blobs: dict[str, np.ndarray] = {}
    for number, layer in _fields(net):
        if number not in _LAYERS:
            continue
        name, arrays = _read_layer(_message(layer), *_LAYERS[number])
        for i, array in enumerate(arrays):
            if f"{name}/{i}" in blobs:
                raise _MalformedError(f"two layers are called {name!r}")
            blobs[f"{name}/{i}"] = array
    return blobs


def _read_layer(
    layer: memoryview, name_field: int, blob_field: int
) -> tuple[str, list[np.ndarray]]:
    name, arrays = "", []
    for number, value in _fields(layer):
        if number == name_field:
            name = str(_message(value), "utf-8", errors="replace")
        elif number == blob_field:
            arrays.append(_read_blob(_message(value)))
    return name, arrays


def _read_blob(blob: memoryview) -> np.ndarray:
    """One array as float32. Packed values come as one field, unpacked ones as a field each."""
    legacy = dict.fromkeys(_LEGACY_SHAPE, 0)
    shape: list[int] | None = None
    pieces: dict[int, list[memoryview]] = {number: [] for number in _DATA}
    for number, value in _fields(blob):
        if number in legacy:
            legacy[number] = _number(value)
        elif number == _SHAPE:
            shape = _read_shape(_message(value))
        elif number in pieces:
            pieces[number].append(_message(value))
    if shape is None:
        shape = list(legacy.values()) if any(legacy.values()) else []
    field = 8 if pieces[8] else 5
    (content, *more) = pieces[field] or [memoryview(b"")]
    if more:
        content = memoryview(b"".join(pieces[field]))
    item = np.dtype(_DATA[field])
    if len(shape) > _MOST_AXES:
        raise _MalformedError(f"a blob has {len(shape)} axes")
    if not content or len(content) != math.prod(shape) * item.itemsize:
        raise _MalformedError(f"a blob of shape {tuple(shape)} has {len(content)} bytes")
    return np.frombuffer(content, item).astype(np.float32, copy=False).reshape(shape)


def _read_shape(message: memoryview) -> list[int]:
    shape: list[int] = []
    for number, value in _fields(message):
        if number != 1:
            continue
        if isinstance(value, int):
            shape.append(value)
            continue
        position = 0
        while position < len(value):
            side, position = _varint(value, position)
            shape.append(side)
    return shape


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields (field number, value): a varint as a number, anything else as its bytes."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire_type == _LENGTH:
            size, position = _varint(message, position)
        elif wire_type in _FIXED_SIZE:
            size = _FIXED_SIZE[wire_type]
        else:
            raise _MalformedError(f"a field has wire type {wire_type}")
        if size > len(message) - position:
            raise _MalformedError(f"a field of {size} bytes has {len(message) - position} left")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """An unsigned number in groups of 7 bits, lowest first, and where the next field begins."""
    number = 0
    for i, byte in enumerate(message[position : position + 10]):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return number, position + i + 1
    raise _MalformedError("a number does not end")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _MalformedError("a number stands where text or a message is expected")
    return value


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise _MalformedError("text or a message stands where a number is expected")
    return value
