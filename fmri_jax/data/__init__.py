"""Files in, sessions and prepared trials out."""

import importlib
import inspect
import pathlib
import pkgutil
from typing import Any

from fmri_jax.config import unknown_name
from fmri_jax.data.session import Session
from fmri_jax.errors import InputError

__all__ = ["Session", "known", "load"]


def load(name_or_path: str, **options: Any) -> Session:
    """Loads a recording.

    Args:
        name_or_path: "file" (with `path=...`), "virtual_subject", the name of a folder of
            `fmri_jax.data.datasets` such as "miyawaki2008", or the path of an `.npz` recording.
        **options: what that reader takes.

    Returns:
        The recording, checked.

    Raises:
        InputError: the name or an option is unknown, or the recording cannot be used.
    """
    modules = known()
    if name_or_path not in modules:
        if pathlib.Path(name_or_path).suffix:
            return load("file", path=name_or_path, **options)
        raise InputError(
            unknown_name(f"data {name_or_path!r}", name_or_path, modules, "recording")
            + " A file of your own is given by its path."
        )
    reader = importlib.import_module(modules[name_or_path]).load
    try:
        inspect.signature(reader).bind(**options)
    except TypeError as error:
        takes = ", ".join(inspect.signature(reader).parameters)
        raise InputError(
            f"data {name_or_path!r} cannot take the options {sorted(options)}: {error}; it takes "
            f"{takes}."
        ) from None
    return reader(**options)


def known() -> dict[str, str]:
    """Name of a recording -> module whose `load` reads it. A new folder in `datasets/` adds one."""
    modules = {"file": "fmri_jax.data.npz", "virtual_subject": "fmri_jax.data.virtual_subject"}
    folder = pathlib.Path(__file__).parent / "datasets"
    for module in pkgutil.iter_modules([str(folder)]):
        if module.ispkg:
            modules[module.name] = f"fmri_jax.data.datasets.{module.name}"
    return modules
