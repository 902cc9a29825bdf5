"""`~` and $VARIABLES in the paths that a person gives, replaced alike wherever one is given."""

import os
import re
from collections.abc import Mapping
from typing import Any

from fmri_jax.errors import InputError

OPTIONS = ("path", "images", "test_path", "test_images", "masks", "events", "folder")


def expanded_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """A reader's options, those of `OPTIONS` expanded.

    Raises:
        InputError: a path names a variable that is not set.
    """
    return {
        name: expanded(value) if name in OPTIONS and isinstance(value, str) else value
        for name, value in options.items()
    }


def expanded(path: str) -> str:
    """A path with `~` and $VARIABLES replaced, unless a file or folder has this very name.

    Raises:
        InputError: a variable is not set.
    """
    found = replaced(path)
    missing = None if os.path.exists(found) else re.search(r"\$\{?(\w+)", found)
    if missing:
        raise InputError(
            f"{path!r} cannot be found because the environment variable {missing[1]} is not set: "
            f"set {missing[1]} to the folder that is meant, or give the whole path."
        )
    return found


def replaced(path: str) -> str:
    """As `expanded`, where a variable that is not set stays as it stands."""
    return path if os.path.exists(path) else os.path.expanduser(os.path.expandvars(path))
