"""Opens pickled arrays of strangers without running anything of theirs.

A pickle is a program. This unpickler knows the few names that arrays are made of, and rejects
every other one before it is looked up. Not even NumPy's `ndarray` and `dtype` stand behind
these names, but notes of what the file says (see `pickled_arrays`).
"""

import functools
import io
import math
import pathlib
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from fmri_jax import apart, apart_memory
from fmri_jax.errors import InputError
from fmri_jax.pretrained.pickled_arrays import Array, Call, Type, check_total, finished

_TORCH_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
}
_NUMBERING = ("PUT", "BINPUT", "LONG_BINPUT")  # instructions that number a part
_BLOCK = 2**20  # bytes that are unpacked at a time
_MAGIC = 0x1950A86A20F9469CFC6C  # begins PyTorch's files without a zip


class _Unpickler(pickle.Unpickler):
    """Finds only the names of `allowed`."""

    def __init__(self, stream: IO[bytes], allowed: dict[tuple[str, str], Any], source: Any):
        super().__init__(stream)
        self._allowed = allowed
        self._source = source

    def find_class(self, module: str, name: str) -> Any:
        """The object that a pickle names, if it is one of those that arrays need."""
        if (module, name) not in self._allowed:
            raise InputError(
                f"{self._source} asks for {module}.{name}: expected a file of arrays only, so it "
                "was not opened; get the file again from its publisher."
            )
        return self._allowed[module, name]


_ARRAYS = {
    ("numpy", "ndarray"): "ndarray",  # the argument of `_reconstruct`, never called
    ("numpy", "dtype"): Call(Type),
    ("numpy.core.multiarray", "_reconstruct"): Call(Array),
    ("numpy._core.multiarray", "_reconstruct"): Call(Array),
    ("collections", "OrderedDict"): OrderedDict,
}


def load_arrays(path: pathlib.Path) -> Any:
    """Reads a pickle that holds NumPy arrays of numbers in dicts and lists, in another process.

    Returns:
        What it holds; tuples have become lists.

    Raises:
        InputError: the file is missing, corrupt, or holds anything else.
    """
    return apart.call_on(f"{__name__}:read_arrays", path)


def read_arrays(name: str) -> Any:
    """As `load_arrays`, in this process."""
    path = pathlib.Path(name)
    try:
        with path.open("rb") as stream:
            return finished(_load(stream, _ARRAYS, path), path.stat().st_size)
    except InputError:
        raise
    except Exception as error:  # a corrupt pickle can raise anything
        raise InputError(f"{path} cannot be read as pickled arrays ({error}).") from error


def load_torch(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the state dict of a PyTorch `.pth` file, of either format, without PyTorch.

    Since PyTorch 1.6 the file is a zip; before, and some of torchvision's files still are, a row of
    pickles with the numbers behind them. It is read in a process of its own. Tensors of one storage
    share its memory.

    Raises:
        InputError: the file is missing, corrupt, or holds anything but tensors.
    """
    return apart.call_on(f"{__name__}:read_torch", path)


def read_torch(name: str) -> dict[str, np.ndarray]:
    """As `load_torch`, in this process."""
    path = pathlib.Path(name)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                state = _read_zip(archive, path)
        else:
            with path.open("rb") as stream:
                state = _read_row_of_pickles(stream, path)
        check_total(sum(array.nbytes for array in state.values()), path.stat().st_size)
        return {str(name): np.asarray(array, order="C") for name, array in state.items()}
    except InputError:
        raise
    except Exception as error:  # a corrupt pickle can raise anything
        raise InputError(
            f"{path} cannot be read as a PyTorch state dict ({error}): get the file again, or "
            "open it with PyTorch and save its state_dict()."
        ) from error


def _load(
    stream: IO[bytes],
    allowed: dict[tuple[str, str], Any],
    source: Any,
    persistent_load: Callable[[Any], Any] | None = None,
) -> Any:
    """The next pickle of a stream, after a look at its instructions.

    A pickle numbers the parts that it comes back to, and the unpickler makes room for the largest
    number: nine bytes can ask for all memory.
    """
    begin = stream.tell()
    for count, (instruction, argument, _) in enumerate(pickletools.genops(stream)):
        if instruction.name in _NUMBERING and int(argument or 0) > count:
            raise ValueError(f"its part {count} has the number {argument}")
    stream.seek(begin)
    unpickler = _Unpickler(stream, allowed, source)
    if persistent_load:
        unpickler.persistent_load = persistent_load  # type: ignore[method-assign]
    return unpickler.load()


def _read_zip(archive: zipfile.ZipFile, path: pathlib.Path) -> dict[str, np.ndarray]:
    """The tensors' numbers lie beside the pickle, one member of the archive a storage."""
    (index,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    folder = index.removesuffix("data.pkl")
    check_total(sum(each.file_size for each in archive.infolist()), path.stat().st_size)
    content = functools.cache(lambda member: _unpacked(archive, member))

    def storage(reference: tuple[Any, ...]) -> np.ndarray:
        """PyTorch's ("storage", type, key, device, size); many tensors may be of one storage."""
        _, dtype, key, _, _ = reference
        _check_numbers(dtype)
        return content(f"{folder}data/{key}").view(dtype)

    return _load_state(io.BytesIO(archive.read(index)), storage, path)


def _unpacked(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    """A member's bytes, (n,) uint8, where they are handed over without a copy."""
    content = apart_memory.empty((archive.getinfo(member).file_size,), np.uint8)
    with archive.open(member) as stream:
        _fill(content, stream, member)
    return content


def _fill(content: np.ndarray, stream: IO[bytes], what: str) -> None:
    """Reads the bytes of an array, (n,) uint8, from a stream."""
    place = 0
    while block := stream.read(min(_BLOCK, content.size - place)):
        apart_memory.put(block, content, place)
        place += len(block)
    if place < content.size:
        raise ValueError(f"{what} is shorter than announced")


def _read_row_of_pickles(stream: io.BufferedReader, path: pathlib.Path) -> dict[str, np.ndarray]:
    """Magic number, format, machine, tensors, names of storages; then each storage's numbers.

    Tensors are views of storages that are filled afterwards.
    """
    if _load(stream, {}, path) != _MAGIC:
        raise ValueError("its first pickle is not PyTorch's")
    for _ in ("format", "machine"):
        _load(stream, {}, path)
    size = path.stat().st_size
    storages: dict[str, np.ndarray] = {}

    def storage(reference: tuple[Any, ...]) -> np.ndarray:
        """PyTorch's ("storage", type, key, device, size, view), the view unused by state dicts."""
        _, dtype, key, _, length, view = reference
        _check_numbers(dtype)
        if view is not None or not 0 <= length * np.dtype(dtype).itemsize <= size:
            raise ValueError("a storage reaches beyond the file")
        if key not in storages:
            storages[key] = apart_memory.empty((length,), dtype)
        return storages[key]

    state = _load_state(stream, storage, path)
    filled = _load(stream, {}, path)
    if not storages.keys() <= set(filled):
        raise ValueError("a storage has no numbers")
    for key in filled:
        array = storages[key]
        (length,) = np.frombuffer(stream.read(8), "<i8")
        if length != array.size:
            raise ValueError("a storage has another size than announced")
        _fill(array.view(np.uint8), stream, key)
    return state


def _load_state(
    stream: IO[bytes], storage: Callable[[tuple[Any, ...]], np.ndarray], path: pathlib.Path
) -> dict[str, np.ndarray]:
    """Unpickles a state dict; `storage` finds the numbers that its tensors refer to."""
    allowed: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor"): Call(_tensor),  # before PyTorch 0.4
        ("torch._utils", "_rebuild_tensor_v2"): Call(_tensor),
        **{("torch", name): dtype for name, dtype in _TORCH_TYPES.items()},
    }
    return dict(_load(stream, allowed, path, storage))


def _check_numbers(dtype: Any) -> None:
    """Rejects what a pickle gives for a storage's type, if it is none of PyTorch's."""
    if dtype not in _TORCH_TYPES.values():
        raise ValueError("a storage is of an unknown type")


def _tensor(
    flat: np.ndarray, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> np.ndarray:
    # A tensor's size says nothing of memory, and NumPy's integers wrap where Python's grow.
    flat_array = type(flat) is np.ndarray and flat.ndim == 1 and flat.flags.c_contiguous
    if not flat_array or not all(type(number) is int for number in (offset, *shape, *stride)):
        raise ValueError("a tensor is made of something else than a storage and integers")
    strides = [step * flat.itemsize for step in stride]
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if min((offset, *shape, *stride)) < 0 or max(last, math.prod(shape) - 1) >= flat.size:
        raise ValueError("a tensor reaches beyond its storage")
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, strides)
