"""What is known in training: trials, their groups, and what was already computed from them.

Inner folds give out-of-sample predictions of training trials, for whatever is learned from them.
Configs that differ in their weights only, candidates of a selection and rows of a sweep share the
element models and predictions of one training set.
"""

import dataclasses
from collections.abc import Iterator

import jax
import numpy as np

from fmri_jax.methods.local_decoders.bases import Basis
from fmri_jax.methods.local_decoders.decoders import ElementModel, fit_elements
from fmri_jax.methods.local_decoders.options import Config


def groups_of(images: np.ndarray) -> np.ndarray:
    """(n,) int: trials that show the same image form one group.

    Repeats of an image must not be divided between learning and validation: a decoder that has seen
    the image recognises it, and the validation measures memory.
    """
    _, group = np.unique(images.reshape(len(images), -1), axis=0, return_inverse=True)
    return group.reshape(-1)


def inner_folds(groups: np.ndarray, n_folds: int) -> Iterator[np.ndarray]:
    """Boolean masks (n,) of the trials that each inner fold leaves out; whole groups only.

    Groups are assigned so that folds hold about the same number of trials.
    """
    from sklearn.model_selection import GroupKFold

    n_folds = min(n_folds, len(np.unique(groups)))
    for _, left_out in GroupKFold(n_folds).split(groups, groups=groups):
        mask = np.zeros(len(groups), bool)
        mask[left_out] = True
        yield mask


@dataclasses.dataclass(eq=False)
class TrainingSet:
    """Training trials of one fold.

    Attributes:
        fmri: (n, voxels) float32.
        images: (n, height, width, channels) float32 in [0, 1], the image shown in each trial.
        groups: (n,) which trials inner folds keep together.
        mesh: devices that the elements are split over; None for one device.
    """

    fmri: np.ndarray
    images: np.ndarray
    groups: np.ndarray
    mesh: jax.sharding.Mesh | None = None
    _models: dict[Config, ElementModel] = dataclasses.field(default_factory=dict, repr=False)
    _predictions: dict[Config, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def has_inner_folds(self, n_folds: int) -> bool:
        """Whether every inner fold leaves at least two distinct images to learn from.

        A decoder that has seen a single image predicts it whatever the voxels say, and weights
        learned from such predictions are zero.
        """
        if len(np.unique(self.groups)) < 2:
            return False
        kept = (self.images[~out] for out in inner_folds(self.groups, n_folds))
        return all(bool(np.any(images != images[0])) for images in kept)

    def basis(self, config: Config) -> Basis:
        """The elements of a config on these images."""
        return config.basis(*self.shape[:2])

    def model(self, config: Config) -> ElementModel:
        """The decoders of a config, fitted to all trials."""
        key = dataclasses.replace(_decoder_of(config), n_inner=Config.n_inner)
        if key not in self._models:
            everything = np.ones(len(self.fmri), bool)
            self._models[key] = self._fit(config, everything)
        return self._models[key]

    def out_of_sample(self, config: Config) -> np.ndarray:
        """Predicts every trial by decoders that never saw its group.

        Returns:
            (n, elements x channels).
        """
        key = _decoder_of(config)
        if key not in self._predictions:
            size = self.basis(config).n_elements * self.shape[2]
            predictions = np.empty((len(self.fmri), size), np.float32)
            # One after the other, which takes 5 % longer: see `linear.target_batches.for_solving`.
            for out in inner_folds(self.groups, config.n_inner):
                model = self._fit(config, ~out)
                # All trials, so that folds of different sizes share one compiled program.
                predictions[out] = np.asarray(model.predict(self.fmri))[out]
            self._predictions[key] = predictions
        return self._predictions[key]

    def _fit(self, config: Config, used: np.ndarray) -> ElementModel:
        elements = self.basis(config)
        return fit_elements(self.fmri[used], self.images[used], elements, config, self.mesh)


def _decoder_of(config: Config) -> Config:
    """The part of a config that out-of-sample predictions depend on."""
    return dataclasses.replace(config, weights="equal", select="fixed")
