"""What a kind of prior is trained on: photographs, or what is computed of them once."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from fmri_jax.files import replacing
from fmri_jax.priors.photographs import Photographs
from fmri_jax.priors.training import Prepare, mirrored

BLOCK = 1024  # photographs whose arrays are kept together


@dataclasses.dataclass(frozen=True)
class Source:
    """What examples are made of.

    Attributes:
        data: the photographs.
        config: sizes of the prior's networks.
        folder: of the training, in which what takes long is kept.
        autoencoder: name or folder of a prior whose autoencoder is used, where one is needed.
        progress: whether to draw progress bars.
        objective: options of what is minimised, which may need more.
    """

    data: Photographs
    config: Any
    folder: pathlib.Path
    autoencoder: str | None = None
    progress: bool = True
    objective: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Examples:
    """What the objective of a prior is given.

    Attributes:
        training: photographs or nested dicts of arrays, for `training.train`.
        held_out: the same for `scores.held_out_loss`, in the form that the objective takes.
        prepare: from rows of `training` to what the objective takes.
        finish: from the parameters that were trained to those of the prior.
        start: from parameters at random to those that training begins with; None: as they are.
        fixed: parameters of networks that are not trained, for `training.train`.
    """

    training: Any
    held_out: Any
    prepare: Prepare
    finish: Callable[[Any], Any]
    start: Callable[[Any], Any] | None = None
    fixed: Any = None


def make(source: Source) -> Examples:
    """The photographs themselves, half of them mirrored."""
    data = source.data
    return Examples(data.training, data.held_out, mirrored, lambda params: params)


def kept_features(
    source: Source,
    part: str,
    photographs: np.ndarray,
    network: tuple[str, str, Any],
    compute: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Features of photographs, (n, ...) float16, under a name that all kinds of priors give them.

    Args:
        source: holds the folder.
        part: "training" or "held_out".
        photographs: (n, size, size, 3) uint8.
        network: its name, a layer, and how images are preprocessed.
        compute: photographs -> (n, ...) features of that layer.
    """
    name, layer, preprocessing = network
    shown = hashlib.sha256(repr(preprocessing).encode()).hexdigest()[:8]
    label = f"{part}_{name}_{layer}_{shown}_{whose(photographs)}"
    return kept(
        source.folder / "examples",
        label,
        len(photographs),
        lambda rows: compute(photographs[rows]),
        source.progress,
    )


def whose(photographs: np.ndarray) -> str:
    """Tells photographs from others, in names of what was computed of them."""
    return Photographs(photographs, photographs[:0]).fingerprint()[:16]


def kept(
    folder: pathlib.Path,
    name: str,
    n: int,
    compute: Callable[[slice], np.ndarray],
    progress: bool,
) -> np.ndarray:
    """Arrays of n rows, computed in blocks, of which those that are there are read.

    Args:
        folder: holds the blocks; made where it is not there.
        name: of the arrays and of what they depend on; the last word is not shown.
        n: rows.
        compute: from a slice of the rows to their arrays.
        progress: whether to draw a progress bar.

    Returns:
        (n, ...) float16.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    starts = range(0, n, BLOCK)
    for start in tqdm(starts, name.rsplit("_", 1)[0], disable=not progress):
        path = folder / f"{name}_{start}.npy"
        if not path.exists():
            rows = compute(slice(start, start + BLOCK)).astype(np.float16)
            with replacing(path) as unfinished, unfinished.open("wb") as file:
                np.save(file, rows)
        parts.append(np.load(path))
    return np.concatenate(parts)
