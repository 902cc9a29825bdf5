"""How many bytes a compiled step sends between devices, read from its program."""

import math
import re
from collections import Counter

_COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
# `%name = f32[3,4]{1,0} all-reduce(`, or a tuple of arrays; `-start` where it is asynchronous.
_OPERATION = re.compile(
    rf"= (?P<result>\(.*?\)|\S+) (?P<kind>{'|'.join(_COLLECTIVES)})(?:-start)?\("
)
_ARRAY = re.compile(r"(?P<type>[a-z][a-z0-9]*)\[(?P<shape>[\d,]*)\]")
_BITS = re.compile(r"\d+")


def bytes_by_collective(program: str) -> dict[str, int]:
    """Bytes of the results of each kind of collective in one run of a program.

    A ring all-reduce sends twice these bytes, less a share of one device, from each device.

    Args:
        program: `compiled.as_text()`. Loops are counted once, however often they run.

    Returns:
        Kind, such as "all-reduce" -> bytes, on each device.
    """
    found: Counter[str] = Counter()
    for operation in _OPERATION.finditer(program):
        for array in _ARRAY.finditer(operation["result"]):
            sides = (int(side) for side in array["shape"].split(",") if side)
            found[operation["kind"]] += _item_bytes(array["type"]) * math.prod(sides)
    return dict(found)


def _item_bytes(name: str) -> int:
    """Of one element of an HLO type: pred, s32, bf16, f32, f8e4m3fn."""
    bits = _BITS.search(name)
    return max(1, int(bits[0]) // 8) if bits else 1
