"""Opens pickled arrays of strangers without running anything of theirs.

A pickle is a program. This unpickler knows the few names that arrays are made of, and refuses
every other one before it is looked up.
"""

import io
import pathlib
import pickle
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np

from fmri_jax.errors import InputError

_RECONSTRUCT = np.ndarray(0).__reduce__()[0]  # how NumPy itself rebuilds an array

_ARRAYS = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("collections", "OrderedDict"): OrderedDict,
}
_TORCH_TYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2"}


class _Unpickler(pickle.Unpickler):
    """Finds only the names of `allowed`."""

    def __init__(self, stream: io.BufferedIOBase, allowed: dict[tuple[str, str], Any], source: Any):
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


def load_arrays(path: pathlib.Path) -> Any:
    """Reads a pickle that holds NumPy arrays in dicts, lists and tuples.

    Raises:
        InputError: the file is missing, damaged, or holds anything else.
    """
    try:
        with path.open("rb") as stream:
            return _Unpickler(stream, _ARRAYS, path).load()
    except InputError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(f"{path} cannot be read as pickled arrays ({error}).") from error


def load_torch(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the state dict of a PyTorch `.pth` file (a zip since PyTorch 1.6), without PyTorch.

    Raises:
        InputError: the file is missing, damaged, of the older format, or holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_torch(archive, path)
    except InputError:
        raise
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{path} is no zip: expected a .pth written by PyTorch 1.6 or later; open and save it "
            "again with a current PyTorch."
        ) from error
    except Exception as error:
        raise InputError(f"{path} cannot be read as a PyTorch state dict ({error}).") from error


def _read_torch(archive: zipfile.ZipFile, path: pathlib.Path) -> dict[str, np.ndarray]:
    (index,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    folder = index.removesuffix("data.pkl")

    def storage(reference: tuple[Any, ...]) -> np.ndarray:
        """PyTorch's ("storage", type, key, device, size): the bytes lie beside the pickle."""
        _, dtype, key, _, _ = reference
        return np.frombuffer(archive.read(f"{folder}data/{key}"), dtype)

    def tensor(
        flat: np.ndarray, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
    ) -> np.ndarray:
        strides = [step * flat.itemsize for step in stride]
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        if min((offset, *shape, *stride)) < 0 or last >= flat.size:
            raise ValueError("a tensor reaches beyond its storage")
        return np.lib.stride_tricks.as_strided(flat[offset:], shape, strides).copy()

    allowed: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): tensor,
        **{("torch", name): dtype for name, dtype in _TORCH_TYPES.items()},
    }
    unpickler = _Unpickler(io.BytesIO(archive.read(index)), allowed, path)
    unpickler.persistent_load = storage  # type: ignore[method-assign]
    return dict(unpickler.load())
