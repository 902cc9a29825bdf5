"""What a pickle says of its arrays: noted down, checked, and only then made into arrays of numbers.

Called with a stranger's arguments, NumPy's own `ndarray` and `dtype` make arrays of pointers into
any memory, or change the byte order of every float in this process. These take their places.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

KINDS = "biuf"  # of NumPy's types: truth values, whole numbers with and without sign, fractions


class Call:
    """A function that a pickle may call but not change, as its BUILD could change a plain one."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns."""
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise ValueError("it gives a state to a function")


class Type:
    """A type of numbers as a pickle describes it: the arguments of `numpy.dtype`, then a state."""

    def __init__(self, code: str, *_: Any):
        self._code = code
        self._order: Any = "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self._order, *parts = state
        if any(part is not None for part in parts[:3]):  # a type inside, names and fields
            raise ValueError("it holds arrays of records, where arrays of numbers are expected")

    def resolved(self) -> np.dtype:
        """NumPy's type, if it is one of numbers."""
        if not isinstance(self._code, str) or self._order not in ("<", ">", "=", "|"):
            raise ValueError(f"it holds an array of type {self._code!r}")
        dtype = np.dtype(self._code)
        if dtype.kind not in KINDS or dtype.hasobject or dtype.fields:
            raise ValueError(f"it holds an array of {dtype}, where numbers are expected")
        return dtype.newbyteorder(self._order)


class Array:
    """An array as a pickle describes it: empty first, then a state with its shape and numbers."""

    values: np.ndarray | None = None

    def __init__(self, *_: Any):
        """Whatever class, shape and type are asked for: the state says them again."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        if not isinstance(kind, Type):
            raise ValueError("it holds an array of an unknown type")
        dtype = kind.resolved()
        if isinstance(content, str):  # Python 2
            content = content.encode("latin1")
        if not isinstance(content, bytes) or len(content) != math.prod(shape) * dtype.itemsize:
            raise ValueError("an array has another size than its shape and type say")
        flat = np.frombuffer(content, dtype) if content else np.zeros(0, dtype)
        self.values = flat.reshape(shape, order="F" if fortran else "C").copy("K")


def finished(tree: Any, known: dict[int, Any] | None = None) -> Any:
    """What was read, with arrays in place of their descriptions.

    Args:
        tree: descriptions of arrays in dicts, lists and tuples.
        known: id of a part -> what became of it, because a pickle may hold one part many times.

    Raises:
        ValueError: an array has no content, or something stands alone that only describes arrays.
    """
    known = {} if known is None else known
    if id(tree) not in known:
        known[id(tree)] = _made(tree, known)
    return known[id(tree)]


def _made(part: Any, known: dict[int, Any]) -> Any:
    if isinstance(part, Array):
        if part.values is None:
            raise ValueError("an array has no content")
        return part.values
    if isinstance(part, dict):
        return type(part)((key, finished(value, known)) for key, value in part.items())
    if isinstance(part, (list, tuple)):
        return type(part)(finished(value, known) for value in part)
    if isinstance(part, (Type, Call)):
        raise ValueError("it holds a type or a function, where arrays are expected")
    return part
