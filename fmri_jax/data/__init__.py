"""Files in, recordings and prepared trials out."""

import dataclasses
import importlib
import pathlib
import pkgutil
from typing import Any

from fmri_jax.config import unknown_name
from fmri_jax.data.captions import captions_of
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError

__all__ = ["Recording", "captions_of", "known", "load"]


def load(name_or_path: str, **options: Any) -> Recording:
    """Loads a recording.

    Args:
        name_or_path: the path of a file that `data.readers` can read (`.npz`, `.mat`, BData `.h5`,
            NIfTI or a folder of it), in which `~` and $VARIABLES are replaced; or "file"
            with that path as the option `path`; "virtual_subject"; or the name of a folder of
            `fmri_jax.datasets`, such as "deep_image_reconstruction".
        **options: what that reader takes; a BData file needs `images`, a folder or zip.

    Returns:
        The recording, checked.

    Raises:
        InputError: the name or an option is unknown, or the recording cannot be used.
    """
    from fmri_jax.data import paths
    from fmri_jax.data.readers import registry

    modules, options = known(), paths.expanded_options(options)
    if name_or_path in modules:
        reader = importlib.import_module(modules[name_or_path]).load
        recording = registry.call(reader, name_or_path, options)
        if options.get("subject") and not recording.subject:
            subject = f"{name_or_path} {options['subject']}"
            recording = dataclasses.replace(recording, subject=subject)
        return recording
    place = pathlib.Path(paths.expanded(name_or_path))
    if place.suffix or place.is_dir() or len(place.parts) > 1:
        return registry.load(str(place), **options)
    raise InputError(
        unknown_name(f"data {name_or_path!r}", name_or_path, modules, "recording")
        + " A file of your own is given by its path."
    )


def known() -> dict[str, str]:
    """Name of a recording -> module whose `load` reads it. A new folder in `datasets/` adds one."""
    modules = {
        "file": "fmri_jax.data.readers.registry",
        "virtual_subject": "fmri_jax.datasets.simulated",
    }
    folder = pathlib.Path(__file__).parents[1] / "datasets"
    for module in pkgutil.iter_modules([str(folder)]):
        if module.ispkg and module.name != "simulated":  # its published name: virtual_subject
            modules[module.name] = f"fmri_jax.datasets.{module.name}"
    return modules
