"""The decoders that a run keeps: one per fold, in `decoders/<fold>/`."""

import dataclasses
import pathlib

import numpy as np
from absl import logging

from fmri_jax import digests
from fmri_jax.data.preparation.folds import Fold
from fmri_jax.data.recording import Recording
from fmri_jax.errors import plain
from fmri_jax.files import set_aside
from fmri_jax.methods import Reconstructor
from fmri_jax.methods.decoder import About, Decoder, identity
from fmri_jax.methods.decoder import digests as image_digests
from fmri_jax.pipeline.experiment_config import Experiment


def keep(
    options: Experiment,
    recording: Recording,
    workdir: pathlib.Path,
    fold: Fold,
    reconstructor: Reconstructor,
) -> Decoder:
    """Writes what was fitted on a fold, with the voxel statistics of its training trials.

    Args:
        options: the experiment.
        recording: its recording.
        workdir: the folder of the run.
        fold: that the reconstructor was fitted on.
        reconstructor: what the method has learned; one without `state` cannot be kept.

    Returns:
        The decoder.
    """
    decoder = assemble(options, recording, fold, reconstructor)
    if hasattr(reconstructor, "state"):
        decoder.save(folder(workdir, fold.name))
    return decoder


def is_intact(workdir: pathlib.Path, fold: str) -> bool:
    """Whether a fold's decoder is as it was written, or not there; a damaged one is set aside."""
    place = folder(workdir, fold)
    if found := digests.damaged(place):
        logging.warning(
            "%s is damaged (%s differs from what was written): set aside; the fold is computed "
            "again.",
            place,
            plain(found[0]),
        )
        set_aside(place)
    return not found


def folder(workdir: pathlib.Path, fold: str) -> pathlib.Path:
    """Where the decoder of a fold lies."""
    return workdir / "decoders" / fold.replace(" ", "_")


def assemble(
    options: Experiment, recording: Recording, fold: Fold, reconstructor: Reconstructor
) -> Decoder:
    """The decoder that a fold's reconstructor, voxel statistics and ROI make."""
    assert fold.scale is not None  # `folds` has measured it
    preparation = options.preparation
    return Decoder(
        reconstructor=reconstructor,
        scale=fold.scale,
        about=About(
            method=options.method_name,
            config=dataclasses.asdict(options.method_config),
            recording=identity(recording, _name(options)),
            fold=fold.name,
            roi=preparation.roi,
            preparation={
                **dataclasses.asdict(preparation),
                "prepared_shape": list(fold.train.images.shape[1:]),
            },
        ),
        voxels=fold.voxels,
        training_repeats=fold.training_repeats,
        noise_scaling=preparation.noise_scaling,
        recoding=fold.recoding,
        seen=image_digests(fold.train.images[np.unique(fold.train.stimulus)]),
    )


def _name(options: Experiment) -> str:
    """The recording's name for people: its file, or its reader."""
    return pathlib.Path(str(options.data_options.get("path", ""))).name or options.data_name
