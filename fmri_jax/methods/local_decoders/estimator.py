"""The local decoders as a scikit-learn estimator, to put behind a nilearn masker."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import expit
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.errors import InputError
from fmri_jax.methods.decoder import About, Decoder
from fmri_jax.methods.estimator import MethodEstimator
from fmri_jax.methods.local_decoders.bases import Scales, Size, sizes_of
from fmri_jax.validation import (
    as_groups,
    as_images,
    as_seed,
    as_targets,
    check_unit,
    in_unit_range,
)

if TYPE_CHECKING:
    from fmri_jax.methods.local_decoders.options import Config


class MultiScaleDecoder(MethodEstimator):
    """Reconstructs images from voxels by local decoders at several scales.

    Voxels are standardised by their mean and standard deviation over the trials of `fit`.

    Args:
        scales: element sizes: 2 for 1x1, 1x2, 2x1 and 2x2; 1 for 1x1; (2, 3) for the union; or
            pairs of height and width. Elements larger than the image are cut to it.
        decoder: "omp", "linear", "ridge", "bayesian_ridge", "univariate", "sparse_logistic" or
            "receptive_fields".
        n_voxels: voxels that each decoder may use, by F-test.
        n_nonzero: voxels that "omp" ends up with.
        weights: "equal", "learned" (one a scale), "element" or "pixel".
        alpha: ridge penalty of "ridge" and "receptive_fields"; None takes 1 and 300.
        sharpness: of "receptive_fields", as are the next three; see `options.Config`.
        noise_diagonal: share of the noise covariance that is a voxel's own.
        prior_variance: of a pixel around the mean image.
        prior_scale: largest elements of the prior.
        image_shape: (height, width) or (height, width, channels) of flattened images; None takes a
            square number of pixels as a square image and any other as an image of one row.
        n_inner: inner folds from which weights are learned.
        select: "inner" chooses decoder, scales, weights and regularisation on inner folds.
        random_state: seed of the learned weights; None or a `RandomState` draws one.
        clip: True for images in [0, 1], as reconstructions are scored and saved; False for
            contrasts in any unit, as they are predicted.
        stride: pixels from one element of a scale to the next; 1 takes all positions.

    Attributes:
        fitted_: the decoder, `fmri_jax.methods.decoder.Decoder`.
        coef_: (voxels, elements x channels), of voxels as `fit` was given them; for
            "sparse_logistic" in logits.
        intercept_: (elements x channels,).
        decoder_: the decoder that was fitted, of use where it was chosen on inner folds.
        weights_: (scales,), (elements,) or (elements, pixels), as learned.
        combination_: (elements, pixels), weights times each element's share in its pixels.
        scales_: (height, width) of each scale.
        image_shape_: (height, width, channels).
        n_features_in_: voxels.

    References:
        Miyawaki et al. (2008), Neuron 60:915.
    """

    method: ClassVar[str] = "local_decoders"
    noise_scaling: ClassVar[bool] = False  # linear maps would answer with as much more contrast

    def __init__(
        self,
        scales: Scales = 2,
        decoder: str = "omp",
        n_voxels: int = 500,
        n_nonzero: int = 10,
        weights: str = "learned",
        alpha: float | None = None,
        sharpness: float = 0.5,
        noise_diagonal: float = 0.95,
        prior_variance: float = 0.2,
        prior_scale: int = 3,
        image_shape: tuple[int, ...] | None = None,
        n_inner: int = 6,
        select: str = "fixed",
        random_state: int | np.random.RandomState | None = 0,
        clip: bool = True,
        stride: int = 1,
    ) -> None:
        """Keeps the options as they are; `fit` checks them."""
        self.scales = scales
        self.decoder = decoder
        self.n_voxels = n_voxels
        self.n_nonzero = n_nonzero
        self.weights = weights
        self.alpha = alpha
        self.sharpness = sharpness
        self.noise_diagonal = noise_diagonal
        self.prior_variance = prior_variance
        self.prior_scale = prior_scale
        self.image_shape = image_shape
        self.n_inner = n_inner
        self.select = select
        self.random_state = random_state
        self.clip = clip
        self.stride = stride

    def fit(self, X: Any, y: Any, groups: Any = None) -> "MultiScaleDecoder":
        """Fits all decoders and learns how to combine them.

        Args:
            X: (n, voxels).
            y: images (n, pixels), (n, height, width) or (n, height, width, channels); uint8, or
                numbers in [0, 1]. With clip=False numbers in any unit, unless decoder is
                "sparse_logistic" or "receptive_fields" or select is "inner".
            groups: (n,) which trials inner folds keep together, such as stimuli or runs; None keeps
                trials of identical images together.

        Returns:
            The fitted estimator.

        Raises:
            InputError: (a ValueError) the images have another shape than `image_shape` or another
                unit than the options expect, or an option cannot be used.

        Warns:
            UserWarning: inner folds have too few distinct images for what should be learned on
                them, and scales are weighted equally.
        """
        import jax

        from fmri_jax.methods.local_decoders.method import fit
        from fmri_jax.methods.local_decoders.training import TrainingSet, groups_of

        X = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        y = as_targets(y)
        check_consistent_length(X, y, groups)
        images = as_images(y, self.image_shape)
        if images.dtype == np.uint8:
            images = in_unit_range(images, None)[0]
        elif self.clip:
            check_unit(images, "clip=True")
        groups = groups_of(images) if groups is None else as_groups(groups)
        seed = as_seed(self.random_state)
        config = self._config(images)
        scale = VoxelScale.fit(X, standardise=True)
        training = TrainingSet(scale.apply(X, np.ones(len(X))), images, groups)
        model = fit(training, config, jax.random.key(seed))
        about = About(self.method, dataclasses.asdict(config))
        self.fitted_ = Decoder(model, scale, about, noise_scaling=self.noise_scaling)
        coef = np.asarray(model.elements.coef, np.float64)
        self.coef_ = np.where(scale.constant[:, None], 0, coef / scale.std[:, None])
        intercept = np.asarray(model.elements.intercept, np.float64)
        self.intercept_ = intercept - scale.mean.astype(np.float64) @ self.coef_
        self.decoder_ = model.config.decoder
        self.weights_ = np.asarray(model.weights)
        self.combination_ = np.asarray(model.combination)
        self.scales_ = sizes_of(model.config.scales)
        self.image_shape_ = model.shape
        self._output_shape = y.shape[1:]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Reconstructs images, in the shape in which `fit` was given them.

        Args:
            X: (n, voxels).

        Returns:
            (n, ...) float32 images in [0, 1]; with clip=False float64 contrasts.
        """
        elements = self.predict_elements(X)
        by_channel = elements.reshape(len(elements), -1, self.image_shape_[2])
        pixels = np.einsum("nec,ep->npc", by_channel, self.combination_)
        pixels = pixels.reshape(len(elements), *self._output_shape)
        return np.clip(pixels, 0, 1).astype(np.float32) if self.clip else pixels

    def predict_elements(self, X: Any) -> np.ndarray:
        """Predicted mean contrasts (n, elements x channels) of the elements."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        # Float64 on the host: each row is then the same whatever rows it is predicted among.
        values = X @ self.coef_ + self.intercept_
        return expit(values) if self.decoder_ == "sparse_logistic" else values

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2, averaged over the pixels that vary, each weighing as its variance."""
        y, predicted = np.asarray(y), self.predict(X)
        if y.dtype == np.uint8:
            y = y / 255
        n = len(predicted)
        return r2_score(
            y.reshape(n, -1),
            predicted.reshape(n, -1),
            sample_weight=sample_weight,
            multioutput="variance_weighted",
        )

    def save(self, folder: str | pathlib.Path) -> pathlib.Path:
        """Writes the fitted decoder into a folder, which `fmri_jax.load_decoder` reads.

        Raises:
            InputError: it predicts contrasts (clip=False), where saved decoders give images.
        """
        if not self.clip:
            raise InputError(
                "clip=False predicts contrasts in any unit, and saved decoders give images in "
                "[0, 1]: fit with clip=True to save."
            )
        return super().save(folder)

    def method_config(self, image_shape: tuple[int, ...]) -> "Config":
        """The options as the method's record; elements are cut to the image."""
        from fmri_jax.methods.local_decoders.options import Config

        height, width = image_shape[:2]
        sizes: list[Size] = [(min(h, height), min(w, width)) for h, w in sizes_of(self.scales)]
        options = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(Config)
            if field.name not in ("scales", "block")
        }
        return Config(scales=tuple(dict.fromkeys(sizes)), **options)

    def _config(self, images: np.ndarray) -> "Config":
        """The options; images are in the unit that they expect."""
        config = self.method_config(images.shape[1:])
        if config.select == "inner":
            check_unit(images, "select='inner'")
        if config.decoder == "receptive_fields":
            check_unit(images, "decoder='receptive_fields'")
        return config
