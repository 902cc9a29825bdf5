"""Simulated trials of photographs that nobody viewed, added to the training trials of a fold.

An encoding model of the fold's training trials predicts the responses to other photographs, and
draws the noise that its repeats had (Beliy et al. 2019; Gaziv et al. 2022 learn from such
photographs by cycles through an encoder). No response of a test trial and no test image enters.

References:
    Beliy et al. (2019), Advances in Neural Information Processing Systems 32;
    Gaziv et al. (2022), NeuroImage 254:119121.
"""

import dataclasses
import functools
import hashlib

import jax
import numpy as np

from fmri_jax import methods
from fmri_jax.data.preparation.folds import Fold, Trials
from fmri_jax.data.recording import Recording
from fmri_jax.encoding import fitted, kept_maps, search_store
from fmri_jax.encoding.fitted import Encoding
from fmri_jax.encoding.options import Options
from fmri_jax.errors import InputError
from fmri_jax.evaluation.notes import Note
from fmri_jax.features.registry import NETWORKS
from fmri_jax.files import place
from fmri_jax.image_store.maps import StoredMaps
from fmri_jax.pipeline import photograph_bank
from fmri_jax.pipeline.experiment_config import Experiment
from fmri_jax.pipeline.photograph_bank import Bank
from fmri_jax.report.text.text_format import count

RUN = -1  # of trials that no scanner recorded
_NOISE = 0x756E6C  # of the key: other draws than those of the method


def taught(options: Experiment, recording: Recording, fold: Fold, number: int) -> Trials:
    """The trials that a method learns from: those of the fold, and simulated ones if asked for.

    Args:
        options: the experiment.
        recording: its recording, none of whose images may be among the photographs.
        fold: its training trials.
        number: of the fold, for the noise.

    Returns:
        Trials whose `images` are the recording's and then the photographs.

    Raises:
        InputError: the photographs cannot be read, or hold an image of the recording.
    """
    preparation = options.preparation
    if preparation.unlabelled is None:
        return fold.train
    if not methods.takes_simulated(options.method_name, options.method_config):
        raise InputError(
            "config.preparation.unlabelled adds simulated trials, from which the method "
            f"{options.method_name} with these options cannot tell recorded ones: expected none, "
            "or no choice (choice, response_weight) by an encoding model of its own."
        )
    # The same photographs for all seeds, and some of them where more are taken: what a network
    # makes of them is computed once. Noise, inner folds and candidates are drawn by the seed.
    bank = Bank((str(place(preparation.unlabelled)),), preparation.n_unlabelled)
    train = fold.train
    model_options = Options(features=preparation.unlabelled_features, seed=options.seed)
    photographs, others = _photographs(bank, _Images(train.images), model_options.source)
    seen = np.unique(train.stimulus)
    images = seen
    if preparation.unlabelled_model == "shuffled":
        images = np.random.default_rng(options.seed).permutation(seen)
    shown = kept_maps.of_images(train.images[images], model_options.source).take()
    model = fitted.fit(shown, train.fmri, train.stimulus, model_options, search_store.search)
    key = jax.random.fold_in(methods.fold_key(options.seed, number), _NOISE)
    return _joined(train, photographs, _simulated(model, others, key))


def _simulated(model: Encoding, maps: StoredMaps, key: jax.Array) -> np.ndarray:
    """(n, voxels) responses in recorded units: predicted block by block, with noise."""
    found = np.array(model.noise.sample(key, len(maps)))
    found[:, model.scale.constant] = 0
    for start in range(0, len(maps), fitted.BLOCK):
        rows = slice(start, start + fitted.BLOCK)
        found[rows] = model.recorded(found[rows] + model.from_maps(maps.take(rows)))
    return found


class _Images:
    """Images of a recording, by their pixels: folds and variants share them."""

    def __init__(self, images: np.ndarray):
        self.images = images
        self._digest = hashlib.sha256(np.ascontiguousarray(images).data).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Images) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)


@functools.lru_cache(maxsize=1)
def _photographs(
    bank: Bank, own: _Images, source: kept_maps.Source
) -> tuple[np.ndarray, StoredMaps]:
    """The photographs and their maps, which all folds of a run have in common."""
    found = photograph_bank.read(bank, own.images, reject=True)
    return found, kept_maps.of_images(found, source)


def _joined(train: Trials, photographs: np.ndarray, fmri: np.ndarray) -> Trials:
    """Training trials followed by one of each photograph."""
    n, known, more = len(train.fmri), len(train.images), len(photographs)
    captions = (*train.captions, *((),) * more) if train.captions else ()
    names = tuple(f"unlabelled photograph {number}" for number in range(more))
    together = train.together
    if together is not None:
        together = np.concatenate([together, together.max() + 1 + np.arange(more)])
    return dataclasses.replace(
        train,
        fmri=np.concatenate([train.fmri, fmri.astype(train.fmri.dtype, copy=False)]),
        stimulus=np.concatenate([train.stimulus, known + np.arange(more, dtype=np.int32)]),
        images=np.concatenate([train.images, photographs]),
        run=np.concatenate([train.run, np.full(more, RUN, train.run.dtype)]),
        stimulus_names=(*train.stimulus_names, *names),
        repeats=np.concatenate([np.broadcast_to(train.repeats, n), np.ones(more, int)]),
        gain=np.concatenate([np.broadcast_to(train.gain, n), np.ones(more)]),
        captions=captions,
        together=together,
    )


def networks(options: Experiment) -> tuple[str, ...]:
    """The feature networks that simulated trials were made through."""
    name = options.preparation.unlabelled_features
    return (name,) if options.preparation.unlabelled and name in NETWORKS else ()


def notes(options: Experiment) -> list[Note]:
    """What a reader must know of simulated trials in training."""
    preparation = options.preparation
    if preparation.unlabelled is None:
        return []
    text = (
        f"Training had, beside the recorded trials, one simulated trial of each of up to "
        f"{count(preparation.n_unlabelled, 'photograph')} that nobody viewed: responses that an "
        f"encoding model of the training trials predicts from {preparation.unlabelled_features}, "
        "with noise. Baselines learned from recorded trials alone."
    )
    if preparation.unlabelled_model == "shuffled":
        text += (
            " As a control the model was fitted to wrong images: its responses say nothing of the "
            "photographs."
        )
    return [Note("remark", "info", text)]
