"""`~` and $VARIABLES in the paths that a person gives, replaced alike wherever one is given."""

import os
import re
from collections.abc import Mapping
from typing import Any

from fmri_jax.errors import InputError

OPTIONS = ("path", "images", "test_path", "test_images", "masks", "events", "folder")
MADE = ("folder",)  # of downloads: they make it
EMBEDDED = "embedded"  # a virtual subject's word, in place of a path, for images that it has itself

VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


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
    """Refuses a reader's options if nothing stands at a path that they name.

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


def expanded(path: str) -> str:
    """A path with `~` and $VARIABLES replaced, unless a file or folder has this very name.

    Raises:
        InputError: a variable is not set, or empty: the rest of the path would be another one.
    """
    found = replaced(path)
    missing = None if os.path.exists(found) else VARIABLE.search(found)
    if missing:
        name = missing[1] or missing[2]
        state = "empty" if name in os.environ else "not set"
        raise InputError(
            f"{path!r} cannot be found because the environment variable {name} is {state}: "
            f"set {name} to the folder that is meant, or give the whole path."
        )
    return found


def replaced(path: str) -> str:
    """As `expanded`, where a variable that is not set, or empty, stays as it stands."""
    if os.path.exists(path):
        return path
    values = VARIABLE.sub(lambda name: os.environ.get(name[1] or name[2]) or name[0], path)
    return os.path.expanduser(values)
