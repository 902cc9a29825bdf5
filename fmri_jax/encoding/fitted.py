"""A fitted encoding model: images in, responses in recorded units out, with their noise."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.encoding import (
    banded,
    best_ridge,
    noise_model,
    receptive_fields,
    separable,
    separable_training,
)
from fmri_jax.encoding.feature_maps import pooled_maps
from fmri_jax.encoding.noise_model import NoiseModel
from fmri_jax.encoding.options import Options
from fmri_jax.errors import InputError
from fmri_jax.evaluation.repeats import average_by_stimulus

BLOCK = 512  # images whose maps are held at a time

_FIT: dict[str, Callable[..., tuple[Any, np.ndarray]]] = {
    "banded_ridge": banded.fit,
    "receptive_field": receptive_fields.fit,
    "separable": separable_training.fit,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Encoding:
    """From images to responses; everything but `scale` counts in standard deviations of trials.

    Attributes:
        options: it was fitted with.
        readout: from pooled maps of layers to voxels.
        scale: mean and standard deviation of each voxel over the training trials.
        noise: of one trial.
        errors: of predictions: measured less predicted responses of training stimuli that were left
            out. They hold the noise of as many trials as a training stimulus had.
        accuracy: (voxels,) correlation of these predictions with what was measured, at least 0.
        noise_from: "repeats", or "errors" where no stimulus was repeated: then `noise` holds the
            errors of the model, too.
    """

    options: Options
    readout: Any
    scale: VoxelScale
    noise: NoiseModel
    errors: NoiseModel
    accuracy: np.ndarray
    noise_from: str

    @property
    def n_voxels(self) -> int:
        """How many voxels are predicted."""
        return len(self.scale.mean)

    def standardised(self, images: Any) -> np.ndarray:
        """Images -> (n, voxels) responses in standard deviations about the training mean."""
        return np.concatenate(
            [
                self.from_maps(pooled_maps(block, *self.options.source))
                for block in (images[at : at + BLOCK] for at in range(0, len(images), BLOCK))
            ]
        )

    def from_maps(self, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """The same from pooled maps, layer -> (n, h, w, channels)."""
        return np.asarray(self.readout.predict({k: jnp.asarray(each) for k, each in maps.items()}))

    def predict(self, images: Any) -> np.ndarray:
        """Images (n, h, w, 1 or 3) in [0, 1] or uint8 -> responses (n, voxels), recorded units."""
        return self.recorded(self.standardised(images))

    def simulate(self, images: Any, repeats: int, key: jax.Array) -> np.ndarray:
        """Responses of single trials: predictions with noise.

        Args:
            images: (n, h, w, 1 or 3) in [0, 1] or uint8.
            repeats: trials of each image.
            key: of the noise.

        Returns:
            (n, repeats, voxels) in recorded units.
        """
        if repeats < 1:
            raise InputError(f"repeats is {repeats}: expected at least 1.")
        predicted = self.standardised(images)
        n, voxels = predicted.shape
        noise = np.asarray(self.noise.sample(key, n * repeats)).reshape(n, repeats, voxels)
        return self.recorded(predicted[:, None] + np.where(self.scale.constant, 0, noise))

    def log_likelihood(self, fmri: Any, images: Any) -> np.ndarray:
        """Log density of responses under what is predicted for each image.

        Args:
            fmri: (n, voxels) in recorded units, averages of as many trials as training stimuli had.
            images: (m, h, w, 1 or 3).

        Returns:
            (n, m).
        """
        measured = self.scale.apply(np.asarray(fmri, np.float32), np.ones(len(fmri)))
        predicted = self.standardised(images)
        return np.asarray(self.errors.log_likelihood(jnp.asarray(measured), jnp.asarray(predicted)))

    def recorded(self, standardised: np.ndarray) -> np.ndarray:
        """Standard deviations about the training mean -> recorded units."""
        return (standardised * self.scale.std + self.scale.mean).astype(np.float32)

    def summary(self) -> dict[str, Any]:
        """What was chosen, and how well left-out training stimuli are predicted."""
        accuracy = {"median left-out correlation": float(np.median(self.accuracy))}
        return {**accuracy, **self.readout.summary(), "noise from": self.noise_from}

    def save(self, folder: str | pathlib.Path) -> pathlib.Path:
        """Writes it into a new or empty folder, which `fmri_jax.load_encoding` reads.

        Raises:
            InputError: the folder holds something else, or cannot be written.
        """
        from fmri_jax.encoding import files

        return files.save(self, pathlib.Path(folder))


def fit(
    maps: Mapping[str, np.ndarray],
    fmri: Any,
    stimulus: Any,
    options: Options,
    search: banded.Search | None = None,
) -> Encoding:
    """Learns to predict responses from pooled maps.

    Args:
        maps: layer -> (stimuli, h, w, c) of the stimuli in rising order of their numbers.
        fmri: (trials, voxels) in any unit.
        stimulus: (trials,) number of the image that each trial showed; repeats are averaged.
        options: what is fitted.
        search: of "banded_ridge", in place of `banded_ridge.search`.

    Raises:
        InputError: all voxels are constant, or there are too few stimuli.
    """
    fmri = np.asarray(fmri, np.float32)
    n = len(np.unique(stimulus))
    if n < 3:
        raise InputError(f"{n} different images were shown: expected at least 3 to learn from.")
    scale = VoxelScale.fit(fmri, standardise=True)
    trials = scale.apply(fmri, np.ones(len(fmri)))
    rows, _ = average_by_stimulus(trials, stimulus)
    folds = best_ridge.as_folds(n, options.n_folds, options.seed)
    if search and options.readout == "banded_ridge":
        readout, left_out = banded.fit(maps, rows, folds, options, search)
    else:
        readout, left_out = _FIT[options.readout](maps, rows, folds, options)
    known = np.isfinite(left_out).all(axis=1)
    misses = (rows - left_out)[known]
    errors = noise_model.fit(misses, options.rank, seed=options.seed)
    repeated, freedom = noise_model.residuals_of_repeats(trials, stimulus)
    noise, source = errors, "errors"
    if len(repeated):
        source = "repeats"
        noise = noise_model.fit(repeated, options.rank, freedom, seed=options.seed)
    accuracy = np.maximum(correlation(rows[known], left_out[known]), 0)
    return Encoding(options, readout, scale, noise, errors, accuracy, source)


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, voxels) twice -> (voxels,) Pearson correlations, 0 where either does not vary."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    across = np.sqrt(np.sum(a**2, axis=0) * np.sum(b**2, axis=0))
    return np.where(across > 0, np.sum(a * b, axis=0) / np.where(across > 0, across, 1), 0)


RESTORE = {
    "banded_ridge": banded.restore,
    "receptive_field": separable.restore,
    "separable": separable.restore,
}
