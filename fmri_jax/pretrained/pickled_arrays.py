"""What a pickle says of its arrays: noted down, checked, and only then made into arrays of numbers.

Called with a stranger's arguments, NumPy's own `ndarray` and `dtype` make arrays of pointers into
any memory, or change the byte order of every float in this process. These take their places.
"""

import math
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from fmri_jax import apart_memory

MOST_PATHS = 1_000_000  # to arrays, counting those in a part that is held twice two times
MOST_TIMES = 4  # the file's size, that arrays may take: some files share tied weights
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
        self.values = flat.reshape(shape, order="F" if fortran else "C")  # copied by `finished`


def finished(tree: Any, size: int) -> Any:
    """What was read, with arrays in place of their descriptions.

    Args:
        tree: descriptions of arrays in dicts, lists and tuples.
        size: bytes of the file, which bounds what its arrays may take.

    Raises:
        ValueError: an array has no content, something stands alone that only describes arrays, or
            parts that are held many times would make far more of the file than it is.
    """
    if _paths(tree, {}) > MOST_PATHS:
        raise ValueError(f"it holds more than {MOST_PATHS} entries")
    known: dict[int, Any] = {}
    found = _described(tree, {})
    check_total(sum(array.values.nbytes for array in found if array.values is not None), size)
    return _finished(tree, known)


def check_total(total: int, size: int) -> None:
    """Rejects arrays that take far more than their file, as many views of the same numbers do.

    Raises:
        ValueError: they do.
    """
    if total > MOST_TIMES * size + 2**20:
        raise ValueError(
            f"its arrays would take {total / 2**20:.0f} MiB, {total / max(size, 1):.0f} times the "
            "file"
        )


def _parts(tree: Any) -> Collection[Any]:
    return tree.values() if isinstance(tree, dict) else tree if type(tree) in (list, tuple) else ()


def _paths(tree: Any, known: dict[int, int]) -> int:
    """How many ways lead to something that is no container; each part is looked at once."""
    if id(tree) not in known:
        known[id(tree)] = max(1, sum(_paths(part, known) for part in _parts(tree)))
    return known[id(tree)]


def _described(tree: Any, known: dict[int, Any]) -> list[Array]:
    """The arrays that a tree describes, each once."""
    if id(tree) in known:
        return []
    known[id(tree)] = tree
    if isinstance(tree, Array):
        return [tree]
    return [array for part in _parts(tree) for array in _described(part, known)]


def _finished(tree: Any, known: dict[int, Any]) -> Any:
    """Each part once, because a pickle may hold one many times."""
    if id(tree) not in known:
        known[id(tree)] = _made(tree, known)
    return known[id(tree)]


def _made(part: Any, known: dict[int, Any]) -> Any:
    if isinstance(part, Array):
        if part.values is None:
            raise ValueError("an array has no content")
        own = apart_memory.empty(part.values.shape, part.values.dtype)
        own[...] = part.values
        return own
    if isinstance(part, dict):
        return type(part)((key, _finished(value, known)) for key, value in part.items())
    if isinstance(part, (list, tuple)):
        return type(part)(_finished(value, known) for value in part)
    if isinstance(part, (Type, Call)):
        raise ValueError("it holds a type or a function, where arrays are expected")
    return part
