"""Encoding models on disk: `encoding.json` and `encoding.safetensors`."""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
from flax.serialization import to_state_dict
from flax.traverse_util import flatten_dict, unflatten_dict

from fmri_jax.config import section
from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.encoding.fitted import RESTORE, Encoding
from fmri_jax.encoding.noise_model import NoiseModel
from fmri_jax.encoding.options import Options
from fmri_jax.errors import InputError
from fmri_jax.files import place
from fmri_jax.model_files import ModelFiles

JSON = "encoding.json"
FILES = ModelFiles("encoding model", JSON, "encoding.safetensors", format=1)


def save(encoding: Encoding, folder: pathlib.Path) -> pathlib.Path:
    """Writes a model; arguments and errors as `Encoding.save`."""
    arrays, content = state(encoding)
    return FILES.save(folder, content, arrays)


def load_encoding(path: str | pathlib.Path) -> Encoding:
    """Reads an encoding model that `save` has written.

    Args:
        path: its folder.

    Raises:
        InputError: there is no model, it is corrupt, or of a newer version of this package.
    """
    folder = place(path)
    if not (folder / JSON).is_file():
        raise InputError(
            f"{folder} holds no encoding model: expected a folder with {JSON}, as "
            "`EncodingModel.save` writes."
        )
    return FILES.load(folder, lambda content, arrays: restore(arrays, content))


def state(encoding: Encoding) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by name, and plain JSON values."""
    flat = flatten_dict(tree(encoding), sep="/")
    content = {"options": dataclasses.asdict(encoding.options), "noise_from": encoding.noise_from}
    return {name: np.asarray(array) for name, array in flat.items()}, content


def restore(arrays: dict[str, Any], content: dict[str, Any]) -> Encoding:
    """The model whose `state` gave these."""
    options = section(Options, content["options"], "options")
    return from_tree(unflatten_dict(arrays, sep="/"), options, content["noise_from"])


def tree(encoding: Encoding) -> dict[str, Any]:
    """The arrays of a model as nested dicts."""
    return {
        "readout": to_state_dict(encoding.readout),
        "noise": to_state_dict(encoding.noise),
        "errors": to_state_dict(encoding.errors),
        "scale": {name: getattr(encoding.scale, name) for name in ("mean", "std", "constant")},
        "accuracy": encoding.accuracy,
    }


def from_tree(arrays: dict[str, Any], options: Options, noise_from: str) -> Encoding:
    """The model whose `tree` gave these."""
    scale = {name: np.asarray(array) for name, array in arrays["scale"].items()}
    learned = jax.tree.map(jax.numpy.asarray, arrays)
    return Encoding(
        options=options,
        readout=RESTORE[options.readout](learned["readout"]),
        scale=VoxelScale(**scale, keep_offset=False),
        noise=NoiseModel(**learned["noise"]),
        errors=NoiseModel(**learned["errors"]),
        accuracy=np.asarray(arrays["accuracy"]),
        noise_from=noise_from,
    )
