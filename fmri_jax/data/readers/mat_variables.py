"""Which variables a MATLAB 5 file holds, read from their headers alone.

SciPy's own listing ends at the first opaque object, as which MATLAB stores string arrays, tables,
categorical arrays, dates and objects of classes. A variable that nobody needs must not matter, and
one that is needed must be named with its class, so the headers are read here
("MAT-File Format", MathWorks 2019, chapter 1).
"""

import dataclasses
import struct
import zlib
from typing import BinaryIO

_MATRIX, _COMPRESSED = 14, 15  # types of elements
_OPAQUE = 17  # the class of objects of MATLAB's newer kind
_HEADER = 4096  # bytes of an element that its header surely fits into
_CLASSES = (
    *("unknown", "cell", "struct", "object", "char", "sparse", "double", "single"),
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "function_handle"),
)


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable's header.

    Attributes:
        name: of the variable.
        kind: its class in MATLAB, such as "double", "logical", "cell", "string" or "table".
        shape: its size; none of an object.
        is_object: whether it is stored as an opaque object.
    """

    name: str
    kind: str
    shape: tuple[int, ...] = ()
    is_object: bool = False


def of_file(path: str) -> list[Variable]:
    """Lists the variables of a file of version 4 to 7.

    Raises:
        Exception: whatever SciPy raises, or ValueError: the file is corrupt or of another kind.
    """
    from scipy import io

    if io.matlab.matfile_version(path)[0] == 0:  # version 4 has neither classes nor objects
        return [Variable(name, kind, shape) for name, shape, kind in io.whosmat(path)]
    return variables(path)


def variables(path: str) -> list[Variable]:
    """Lists the variables of a file of version 5 to 7.

    Args:
        path: the file; its first 128 bytes are the header of such files.

    Raises:
        ValueError: the file is corrupt.
    """
    found = []
    with open(path, "rb") as file:
        order = "<" if file.read(128)[126:] == b"IM" else ">"
        while len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(order + "II", tag)
            start = file.tell()
            found.append(_variable(_content(file, kind, size, order), order))
            file.seek(start + size)  # elements of this level are padded, or compressed: exact
    return [variable for variable in found if variable is not None and variable.name]


def _content(file: BinaryIO, kind: int, size: int, order: str) -> bytes:
    """The beginning of what a matrix element holds."""
    content = file.read(min(size, _HEADER))
    if kind == _COMPRESSED:
        try:
            content = zlib.decompressobj().decompress(content, _HEADER)
        except zlib.error as error:
            raise ValueError(f"a variable cannot be unpacked: {error}") from None
        if len(content) < 8:
            raise ValueError("a variable is cut short")
        (kind,) = struct.unpack(order + "I", content[:4])
        content = content[8:]
    if kind != _MATRIX:
        raise ValueError(f"an element has type {kind} where a variable was expected")
    return content


def _variable(content: bytes, order: str) -> Variable | None:
    """The variable that an element begins with; None for MATLAB's own, which have no name."""
    flags, at = _element(content, 0, order)
    if len(flags) < 8:
        return None
    bits, kind = flags[1 if order == "<" else 2], flags[0 if order == "<" else 3]
    if kind == _OPAQUE:
        name, at = _element(content, at, order)
        _, at = _element(content, at, order)  # the system of objects, "MCOS" or "java"
        of, at = _element(content, at, order)
        return Variable(name.decode("latin-1"), of.decode("latin-1"), is_object=True)
    stored, at = _element(content, at, order)
    shape = struct.unpack(f"{order}{len(stored) // 4}i", stored)
    name, at = _element(content, at, order)
    named = "logical" if bits & 2 and kind > 5 else _CLASSES[min(kind, 17) % 17]
    return Variable(name.decode("latin-1"), named, shape)


def _element(content: bytes, at: int, order: str) -> tuple[bytes, int]:
    """The bytes of one subelement, and where the next one begins."""
    if at + 8 > len(content):
        raise ValueError("a variable's header is cut short")
    kind, size = struct.unpack(order + "II", content[at : at + 8])
    if small := kind >> 16:  # up to four bytes are packed into the tag itself
        return content[at + 4 : at + 4 + small], at + 8
    end = at + 8 + size
    if end > len(content):
        raise ValueError("a variable's header is cut short")
    return content[at + 8 : end], end + -size % 8
