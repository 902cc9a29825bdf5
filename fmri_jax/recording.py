"""Loads the recording of an experiment, handing a virtual subject its deep features."""

import hashlib
import os
import pathlib
from typing import Any

import numpy as np

from fmri_jax import data
from fmri_jax.data import paths, virtual_subject
from fmri_jax.data.datasets import store
from fmri_jax.data.session import Session
from fmri_jax.experiment import Experiment
from fmri_jax.networks import alexnet

DEEP_LAYERS = ("relu4", "relu5")
BLOCK = 64  # images in the network at a time


def load(experiment: Experiment) -> Session:
    """The recording that the experiment names.

    Raises:
        InputError: the recording cannot be used, or a path names a variable that is not set.
    """
    options = paths.expanded_options(experiment.data_options)
    if experiment.data_name != "virtual_subject":
        return data.load(experiment.data_name, **options)
    # Simulating takes seconds and depends on these options and on the package alone.
    key = store.options_key(**options, **_stamp(options.get("images", "")), source=_source())
    return store.prepare(
        lambda: data.load("virtual_subject", **options, features=deep_features),
        "virtual_subject",
        cache_folder() / "recordings",
        key,
    )


def stamps(experiment: Experiment) -> dict[str, dict[str, int]]:
    """Size and time of the files and folders that the experiment's options name, where they are."""
    given = {name: str(experiment.data_options.get(name, "")) for name in paths.OPTIONS}
    places = {name: paths.replaced(path) for name, path in given.items()}
    return {name: stamp for name, path in places.items() if (stamp := _stamp(path))}


def cache_folder() -> pathlib.Path:
    """Where prepared recordings and compiled programs are kept between runs."""
    return pathlib.Path(os.environ.get("FMRI_JAX_CACHE") or pathlib.Path.home() / ".cache/fmri_jax")


def _stamp(path: str) -> dict[str, int]:
    """Size and time of a file of images: another file under the same name is another recording."""
    if not os.path.exists(path):
        return {}
    status = os.stat(path)
    return {"bytes": status.st_size, "time": status.st_mtime_ns}


def _source() -> str:
    """Hash of the simulation's own code: a changed simulation is another recording."""
    digest = hashlib.sha256()
    for module in (virtual_subject, alexnet):
        for path in sorted(pathlib.Path(str(module.__file__)).parent.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def deep_features(images: np.ndarray) -> dict[str, np.ndarray]:
    """AlexNet's fourth and fifth convolution, which the virtual subject's higher areas mix.

    Args:
        images: (n, h, w, 3) uint8.

    Returns:
        layer -> (n, ...) float32.
    """
    import jax

    from fmri_jax import pretrained
    from fmri_jax.networks import AlexNet

    params = pretrained.load("alexnet")

    @jax.jit
    def activations(params: Any, block: jax.Array) -> dict[str, jax.Array]:
        layers: Any = AlexNet().apply({"params": params}, block / np.float32(255))
        return {name: layers[name] for name in DEEP_LAYERS}

    padded = np.concatenate([images, np.zeros((-len(images) % BLOCK, *images.shape[1:]), np.uint8)])
    blocks = [activations(params, block) for block in np.split(padded, len(padded) // BLOCK)]
    return {
        name: np.concatenate([np.asarray(block[name]) for block in blocks])[: len(images)]
        for name in DEEP_LAYERS
    }
