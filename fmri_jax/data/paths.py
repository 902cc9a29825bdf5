"""`~` and $VARIABLES in the paths that a person gives, replaced alike wherever one is given."""

import os
from collections.abc import Mapping
from typing import Any

from fmri_jax.errors import InputError
from fmri_jax.files import expanded, replaced

__all__ = ["check", "expanded", "expanded_options", "replaced"]

OPTIONS = ("path", "images", "test_path", "test_images", "masks", "events", "folder")
MADE = ("folder",)  # of downloads: they make it
EMBEDDED = "embedded"  # a virtual subject's word, in place of a path, for images that it has itself


def expanded_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """A reader's options, those of `OPTIONS` expanded.

    Raises:
        InputError: a path names a variable that is not set.
    """
    return {
        name: expanded(value) if name in OPTIONS and isinstance(value, str) else value
        for name, value in options.items()
    }


def check(options: Mapping[str, Any]) -> None:
    """Rejects a reader's options if nothing stands at a path that they name.

    Raises:
        InputError: a path names a variable that is not set, or no file or folder.
    """
    for name, path in expanded_options(options).items():
        if name not in OPTIONS or name in MADE or path in ("", EMBEDDED):
            continue
        if isinstance(path, str) and not os.path.exists(path):
            raise InputError(
                f"{path} does not exist: expected the file or folder that config.data gives as "
                f"{name!r}; check the path."
            )
