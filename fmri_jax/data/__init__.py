"""Files in, sessions and prepared trials out."""

import importlib
import inspect
import pathlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from fmri_jax.config import unknown_name
from fmri_jax.data.session import Session
from fmri_jax.errors import InputError

__all__ = ["Session", "known", "load"]

# What reads a file of one's own, by the end of its name.
_FILES = {
    ".npz": "fmri_jax.data.npz",
    ".h5": "fmri_jax.data.bdata_session",
    ".hdf5": "fmri_jax.data.bdata_session",
}


def load(name_or_path: str, **options: Any) -> Session:
    """Loads a recording.

    Args:
        name_or_path: the path of an `.npz` recording or a BData `.h5`, or "file" with that path as
            the option `path`; "virtual_subject"; or the name of a folder of
            `fmri_jax.data.datasets`, such as "miyawaki2008".
        **options: what that reader takes; a BData file needs `images`, a folder or zip.

    Returns:
        The recording, checked.

    Raises:
        InputError: the name or an option is unknown, or the recording cannot be used.
    """
    modules = known()
    if name_or_path == "file":
        return _load_file(str(options.pop("path", "")), options)
    if name_or_path in modules:
        return _call(modules[name_or_path], name_or_path, options)
    if pathlib.Path(name_or_path).suffix:
        return _load_file(name_or_path, options)
    raise InputError(
        unknown_name(f"data {name_or_path!r}", name_or_path, [*modules, "file"], "recording")
        + " A file of your own is given by its path."
    )


def known() -> dict[str, str]:
    """Name of a recording -> module whose `load` reads it. A new folder in `datasets/` adds one."""
    modules = {"virtual_subject": "fmri_jax.data.virtual_subject"}
    folder = pathlib.Path(__file__).parent / "datasets"
    for module in pkgutil.iter_modules([str(folder)]):
        if module.ispkg:
            modules[module.name] = f"fmri_jax.data.datasets.{module.name}"
    return modules


def _load_file(path: str, options: Mapping[str, Any]) -> Session:
    """Reads a file of one's own."""
    if not path:
        raise InputError("No recording is given: name its file with --config.data.path=my.npz.")
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in _FILES:
        raise InputError(
            f"{path} ends in {suffix!r}: expected one of {', '.join(_FILES)}; convert it to .npz."
        )
    return _call(_FILES[suffix], path, {"path": path, **options})


def _call(module: str, name: str, options: Mapping[str, Any]) -> Session:
    """Calls the reader in a module, refusing options that it does not take."""
    reader = importlib.import_module(module).load
    signature = inspect.signature(reader)
    try:
        signature.bind(**options)
    except TypeError as error:
        raise InputError(
            f"data {name!r} cannot take the options {sorted(options)}: {error}; it takes "
            f"{', '.join(signature.parameters)}."
        ) from None
    return reader(**options)
