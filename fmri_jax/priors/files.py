"""Priors on disk: `prior.json` says what it is, `prior.safetensors` holds its parameters."""

import hashlib
import json
import pathlib
from typing import Any

import numpy as np

from fmri_jax._version import __version__
from fmri_jax.errors import InputError
from fmri_jax.files import replacing
from fmri_jax.pretrained import rules
from fmri_jax.pretrained.tensors import load_safetensors

FORMAT = 1  # version of the layout; a reader takes this and earlier ones
JSON, ARRAYS = "prior.json", "prior.safetensors"


def save(
    folder: pathlib.Path, kind: str, config: dict[str, Any], params: Any, card: dict[str, Any]
) -> None:
    """Writes a prior, its parameters as float16.

    Args:
        folder: made where it is not there.
        kind: of `registry.KINDS`.
        config: sizes of its networks, such as JSON holds.
        params: nested dicts of arrays.
        card: what a user should know: data, licence, steps, scores.
    """
    from safetensors.numpy import save as as_bytes

    flat = {name: np.asarray(array, np.float16) for name, array in rules.flatten(params).items()}
    content = as_bytes(flat)
    about = {
        "format": FORMAT,
        "version": __version__,
        "kind": kind,
        "config": config,
        "parameters": sum(array.size for array in flat.values()),
        "card": card,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    for path, written in ((folder / ARRAYS, content), (folder / JSON, text.encode())):
        with replacing(path) as unfinished:
            unfinished.write_bytes(written)


def load(folder: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `save` has written.

    Returns:
        The content of the JSON file, and nested dicts of float32 arrays.

    Raises:
        InputError: there is no prior, it is corrupt, or of a newer version of this package.
    """
    about = read_about(folder)
    if not isinstance(about.get("format"), int) or about["format"] > FORMAT:
        raise InputError(
            f"{folder} has format {about.get('format')!r}, written by fmri_jax "
            f"{about.get('version')}; this version ({__version__}) reads formats up to {FORMAT}: "
            "install a newer fmri_jax."
        )
    try:
        found = hashlib.sha256((folder / ARRAYS).read_bytes()).hexdigest()
    except OSError as error:
        raise _corrupt(folder / ARRAYS, error.strerror or str(error)) from error
    if found != about.get("sha256"):
        raise _corrupt(folder / ARRAYS, "its content is not what was written")
    arrays = load_safetensors(folder / ARRAYS)
    return about, rules.unflatten({n: array.astype(np.float32) for n, array in arrays.items()})


def check_parameters(folder: pathlib.Path, params: Any, expected: rules.Shapes) -> None:
    """Rejects parameters of other names or shapes than a network's.

    Args:
        folder: named in the message.
        params: nested dicts of arrays.
        expected: parameter name -> shape.

    Raises:
        InputError: they differ; the first name is in the message.
    """
    found = {name: array.shape for name, array in rules.flatten(params).items()}
    wanted = {name: tuple(shape) for name, shape in expected.items()}
    if found != wanted:
        name = sorted(found.items() ^ wanted.items())[0][0]
        raise _corrupt(
            folder / ARRAYS,
            f"{name} has shape {found.get(name, 'none')}, its config says "
            f"{wanted.get(name, 'none')}",
        )


def read_about(folder: pathlib.Path) -> dict[str, Any]:
    """The content of a prior's JSON file.

    Raises:
        InputError: it is missing or corrupt.
    """
    path = folder / JSON
    if not path.is_file():
        raise InputError(
            f"{path.parent} holds no prior: expected a folder with {JSON}, as "
            "`fmri-jax prior train` leaves."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _corrupt(path, str(error)) from error
    if not isinstance(content, dict):
        raise _corrupt(path, "it is no JSON object")
    return content


def _corrupt(path: pathlib.Path, why: str) -> InputError:
    return InputError(
        f"{path} is missing or corrupt ({why}): copy the prior's whole folder again, install the "
        "package again, or train the prior again."
    )
