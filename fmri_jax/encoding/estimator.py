"""Encoding models as a scikit-learn estimator: images in, responses out."""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fmri_jax.config import section
from fmri_jax.encoding import fitted
from fmri_jax.encoding.feature_maps import pooled_maps
from fmri_jax.encoding.options import Options
from fmri_jax.errors import InputError
from fmri_jax.linear.penalties import PENALTIES
from fmri_jax.validation import as_images, as_seed, in_unit_range


class EncodingModel(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Predicts each voxel's response to an image from features of the image.

    Args:
        features: a network of `fmri_jax.features`; "gabor", the energy of a Gabor pyramid; or
            "pixels".
        layers: of the network; None: some from input to output.
        readout: "banded_ridge" weighs layers for each voxel (as the package himalaya);
            "receptive_field" gives each voxel a Gaussian window; "separable" trains a mask in space
            and weights of channels.
        grid: layers are averaged over so many cells across and down; None: 4, 16 or 8 by readout.
        penalties: ridge penalties to choose from for each voxel, in units of the mean eigenvalue of
            a layer's Gram matrix.
        n_candidates: random weights of layers that "banded_ridge" tries.
        n_folds: training stimuli are divided into so many to choose by; "receptive_field" leaves
            them out one by one.
        n_steps: most steps of training "separable".
        learning_rate: of its optimiser, Adam.
        sparsity: factor of the absolute values of its weights in the loss.
        rank: factors of the noise that voxels share.
        image_shape: (height, width) or (height, width, channels) of flattened images; None takes a
            square number of pixels as a square image and any other as an image of one row.
        x_range: (black, white), the values of `X` that mean 0 and 1; None: its own range. Images of
            uint8 go from 0 to 255.
        random_state: seed of folds, candidates and training.

    Attributes:
        fitted_: the model, `fmri_jax.encoding.fitted.Encoding`.
        accuracy_: (voxels,) correlation of predicted with measured responses of training stimuli
            that were left out, averaged over their repeats; at least 0.
        x_range_: black and white of `X`.

    References:
        Naselaris, Kay, Nishimoto & Gallant (2011), NeuroImage 56:400; those of each readout are in
        `fmri_jax.encoding.banded_ridge`, `receptive_fields` and `separable`.
    """

    def __init__(
        self,
        features: str = "alexnet",
        layers: tuple[str, ...] | None = None,
        readout: str = "banded_ridge",
        grid: int | None = None,
        penalties: tuple[float, ...] = PENALTIES,
        n_candidates: int = 20,
        n_folds: int = 5,
        n_steps: int = 1000,
        learning_rate: float = 0.01,
        sparsity: float = 1e-3,
        rank: int = 10,
        image_shape: tuple[int, ...] | None = None,
        x_range: tuple[float, float] | None = (0, 1),
        random_state: Any = 0,
    ) -> None:
        """Keeps the options as they are; `fit` checks them."""
        self.features = features
        self.layers = layers
        self.readout = readout
        self.grid = grid
        self.penalties = penalties
        self.n_candidates = n_candidates
        self.n_folds = n_folds
        self.n_steps = n_steps
        self.learning_rate = learning_rate
        self.sparsity = sparsity
        self.rank = rank
        self.image_shape = image_shape
        self.x_range = x_range
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "EncodingModel":
        """Learns from trials.

        Args:
            X: the image of each trial: (n, height, width, channels), (n, height, width) or
                flattened (n, pixels); uint8, or numbers in `x_range`. Trials of identical images
                are repeats of one stimulus: their mean is predicted, and how they differ is noise.
            y: (n, voxels) or (n,) responses in any unit.

        Returns:
            The fitted estimator.

        Raises:
            InputError: (a ValueError) images, responses or options cannot be used.
        """
        options = self._options()
        X, y = validate_data(
            self, X, y, multi_output=True, y_numeric=True, ensure_min_samples=3, **_form(X)
        )
        images, self.x_range_ = in_unit_range(
            as_images(X, self.image_shape, "X"), self.x_range, "X"
        )
        stimulus, first = _stimuli(images)
        responses = np.asarray(y, np.float32)
        self.one_voxel_ = responses.ndim == 1
        self.fitted_ = fitted.fit(
            pooled_maps(images[first], *options.source),
            responses.reshape(len(responses), -1),
            stimulus,
            options,
        )
        self.accuracy_ = self.fitted_.accuracy
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predicts responses without noise.

        Args:
            X: images as those of `fit`.

        Returns:
            (n, voxels) float32 in the units of `fit`; (n,) where `fit` was given (n,).
        """
        check_is_fitted(self)
        found = self.fitted_.predict(self._images(X))
        return found[:, 0] if self.one_voxel_ else found

    def simulate(self, X: Any, repeats: int = 1, random_state: Any = 0) -> np.ndarray:
        """Single trials as they might be recorded: predictions with noise.

        The noise is normally distributed; voxels share it as repeats of the training stimuli did,
        or, where there were none, as errors of prediction did.

        Args:
            X: images as those of `fit`.
            repeats: trials of each image.
            random_state: seed of the noise.

        Returns:
            (n, repeats, voxels) float32 in the units of `fit`.
        """
        check_is_fitted(self)
        key = jax.random.key(as_seed(random_state))
        return self.fitted_.simulate(self._images(X), repeats, key)

    def identify(self, y: Any, X: Any) -> np.ndarray:
        """Which image was seen: the one under which each response is most likely.

        Args:
            y: (n, voxels) responses, averages of as many trials as training stimuli had.
            X: (m, ...) images to choose from, as those of `fit`.

        Returns:
            (n,) places in `X`; `fitted_.log_likelihood` gives all n x m log-likelihoods.
        """
        check_is_fitted(self)
        rows = np.asarray(y, np.float32).reshape(len(y), -1)
        if rows.shape[1] != self.fitted_.n_voxels:
            raise InputError(
                f"y has {rows.shape[1]} voxels: expected {self.fitted_.n_voxels}, as in `fit`."
            )
        return self.fitted_.log_likelihood(rows, self._images(X)).argmax(axis=1)

    def save(self, folder: str | pathlib.Path) -> pathlib.Path:
        """Writes the fitted model into a folder, which `fmri_jax.load_encoding` reads."""
        check_is_fitted(self)
        return self.fitted_.save(folder)

    def _images(self, X: Any) -> np.ndarray:
        X = validate_data(self, X, reset=False, **_form(X))
        return in_unit_range(as_images(X, self.image_shape, "X"), self.x_range_, "X")[0]

    def _options(self) -> Options:
        """The options as the model's record.

        Raises:
            InputError: one cannot be used.
        """
        given = self.get_params(deep=False)
        names = [field.name for field in dataclasses.fields(Options) if field.name != "seed"]
        values = {
            name: value.item() if isinstance(value, np.generic) else value
            for name in names
            if (value := given[name]) is not None
        }
        return section(Options, {**values, "seed": as_seed(self.random_state)}, "EncodingModel")


def _form(X: Any) -> dict[str, Any]:
    """How images are checked: flattened ones, whose length is that of `fit`, or stacks."""
    dtype = None if getattr(X, "dtype", None) == np.uint8 else np.float32
    n_axes = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    return {"dtype": dtype, "allow_nd": True, "ensure_2d": n_axes < 3}


def _stimuli(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) numbers of the distinct images, and the first row of each."""
    numbers: dict[bytes, int] = {}
    stimulus = np.array([numbers.setdefault(each.tobytes(), len(numbers)) for each in images])
    return stimulus, np.unique(stimulus, return_index=True)[1]
