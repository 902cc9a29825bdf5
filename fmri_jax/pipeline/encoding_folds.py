"""A fold of cross-validated encoding models: what is predicted of its test stimuli, in a file."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from absl import logging

from fmri_jax.archives import CorruptError, read_npz
from fmri_jax.data.preparation.folds import Fold, Trials
from fmri_jax.data.recording import Recording
from fmri_jax.encoding import fitted, identification
from fmri_jax.encoding.feature_maps import Maps, pooled_maps
from fmri_jax.encoding.options import Options
from fmri_jax.evaluation.repeats import of_another_stimulus
from fmri_jax.files import replacing, set_aside
from fmri_jax.pipeline import photograph_bank
from fmri_jax.pipeline.photograph_bank import Bank


class Images(NamedTuple):
    """Maps of what was shown, and of photographs that were not."""

    stimuli: np.ndarray  # (n,) numbers of the images that were shown, rising
    shown: Maps
    others: Maps | None


def maps_of(fold: Fold, recording: Recording, options: Options, bank: Bank | None) -> Images:
    """Pooled maps of all images of a recording that were shown, and of the photographs of a bank.

    Raises:
        InputError: images, photographs or layers cannot be used.
    """
    stimuli = np.unique(recording.distinct_images[recording.stimulus])
    source = options.source
    others = None
    if bank is not None:
        others = pooled_maps(photograph_bank.read(bank, recording.images), *source)
    return Images(stimuli, pooled_maps(fold.train.images[stimuli], *source), others)


def predict(fold: Fold, images: Images, options: Options) -> dict[str, np.ndarray]:
    """Predictions of a fold's test stimuli by each layer alone, and by all of them.

    Returns:
        `measured` and `predicted/<number of the model>` (n, voxels), `stimulus` and `repeats` (n,),
        `weight/<layer>` (voxels,) of a readout that has weights of layers, and, with a bank, how
        many of its `candidates` are `above` the own image, and `above_by_wrong` responses (n,).
    """
    test = fold.main_test()
    rows = {
        "train": np.searchsorted(images.stimuli, np.unique(fold.train.stimulus)),
        "test": np.searchsorted(images.stimuli, test.stimulus),
    }
    found = {
        "measured": test.fmri,
        "stimulus": test.stimulus,
        "repeats": np.broadcast_to(np.asarray(test.repeats, np.float64), len(test.stimulus)),
    }
    layers = options.chosen_layers
    alone = [(layer,) for layer in layers]
    for number, chosen in enumerate([*alone, layers] if len(layers) > 1 else alone):
        inside, outside = (
            {layer: images.shown[layer][rows[part]] for layer in chosen}
            for part in ("train", "test")
        )
        last = len(chosen) == len(layers)
        # Of single layers the noise is not asked for.
        own = dataclasses.replace(options, layers=chosen, rank=options.rank if last else 0)
        model = fitted.fit(inside, fold.train.fmri, fold.train.stimulus, own)
        # The training trials are standardised already: their mean is 0 and their deviation 1.
        found[f"predicted/{number}"] = model.recorded(model.from_maps(outside))
        if last and hasattr(model.readout, "weights"):
            weights = model.readout.weights.items()
            found |= {f"weight/{layer}": np.asarray(each) for layer, each in weights}
        if last and images.others is not None:
            found |= _identified(model, test, outside, images.others)
    return found


def _identified(
    model: fitted.Encoding, test: Trials, outside: Maps, others: Maps
) -> dict[str, np.ndarray]:
    """How many other photographs are more likely than the own one; and by wrong responses."""
    own, candidates = model.from_maps(outside), model.from_maps(others)
    measured = model.scale.apply(test.fmri, np.ones(len(test.fmri)))
    found = {"above": identification.place(model.errors, measured, own, candidates).above}
    wrong = of_another_stimulus(test.stimulus)
    if wrong is not None:
        placed = identification.place(model.errors, measured[wrong], own, candidates)
        found["above_by_wrong"] = placed.above
    return {**found, "candidates": np.full(len(own), len(candidates))}


def write(path: pathlib.Path, arrays: Mapping[str, np.ndarray], key: str) -> None:
    """Keeps what `predict` returned; `key` tells the options that it depends on."""
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, key=np.asarray(key), **arrays)


def read(path: pathlib.Path, key: str) -> dict[str, np.ndarray] | None:
    """What a finished fold has kept; None where there is none, or it is of other options."""
    if not path.is_file():
        return None
    try:
        arrays = read_npz(path)
        if str(arrays.pop("key", "")) == key:
            return arrays
    except (OSError, CorruptError):
        pass
    logging.warning("%s is corrupt: its fold is fitted again.", path)
    set_aside(path)
    return None
