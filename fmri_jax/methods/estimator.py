"""What the decoders have in common as scikit-learn estimators."""

import dataclasses
import html
import pathlib
import tempfile
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from fmri_jax import methods
from fmri_jax.config import section
from fmri_jax.data.preparation.folds import Trials
from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.methods.decoder import About, Decoder, digests
from fmri_jax.validation import as_images, as_seed, as_targets, in_unit_range


class MethodEstimator(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """A method as a scikit-learn estimator.

    Subclasses name their method, and take its options as constructor arguments of the same names.
    """

    method: ClassVar[str]  # the package in `fmri_jax.methods`
    noise_scaling: ClassVar[bool] = True  # whether averages are enlarged to the noise of training
    fitted_: Decoder

    def save(self, folder: str | pathlib.Path) -> pathlib.Path:
        """Writes the fitted decoder into a folder, which `fmri_jax.load_decoder` reads."""
        check_is_fitted(self)
        return self.fitted_.save(folder)

    def method_config(self, image_shape: tuple[int, ...]) -> Any:
        """The options as the method's record.

        Args:
            image_shape: height, width and channels of the images.

        Raises:
            InputError: an option cannot be used.
        """
        config = methods.package(self.method).Config
        given = self.get_params(deep=False)
        options = {
            field.name: value.item() if isinstance(value, np.generic) else value
            for field in dataclasses.fields(config)
            if (value := given.get(field.name)) is not None
        }
        return section(config, options, type(self).__name__)

    def _context(self, folder: pathlib.Path) -> methods.RunContext:
        from fmri_jax.training.mesh import make_mesh

        key = methods.fold_key(as_seed(getattr(self, "random_state", 0)))
        mesh = make_mesh(getattr(self, "n_devices", 1))
        progress = bool(getattr(self, "verbose", False))
        return methods.RunContext(folder, "all", key, mesh, progress, kept=False)

    def _repr_html_inner(self) -> str:
        """scikit-learn's own view, followed by what was learned."""
        view = super()._repr_html_inner()
        return view + state_as_html(self.fitted_) if hasattr(self, "fitted_") else view


class ImageDecoder(MethodEstimator):
    """Responses in recorded units in, images out.

    Each voxel is standardised by its mean and standard deviation over the trials of `fit`.
    """

    image_shape: Any
    y_range: Any

    def fit(self, X: Any, y: Any) -> "ImageDecoder":
        """Learns from trials.

        Args:
            X: (n, voxels) responses, one row per trial.
            y: the image of each trial: (n, height, width, channels), (n, height, width) or
                flattened (n, pixels); uint8, or numbers in `y_range`. Kept at 8 bits per channel,
                as recordings are. Trials of identical images are repeats of one stimulus.

        Returns:
            The fitted estimator.

        Raises:
            InputError: (a ValueError) images or options cannot be used.
        """
        X = validate_data(self, X, dtype=np.float32, ensure_min_samples=2)
        y = as_targets(y)
        check_consistent_length(X, y)
        images, self.y_range_ = in_unit_range(as_images(y, self.image_shape), self.y_range)
        scale = VoxelScale.fit(X, standardise=True)
        trials = _trials(scale.apply(X, np.ones(len(X))), images)
        config = self.method_config(images.shape[1:])
        with tempfile.TemporaryDirectory(prefix="fmri_jax_") as folder:
            context = self._context(pathlib.Path(folder))
            learned = methods.package(self.method).build(config).fit(trials, context)
        about = About(self.method, dataclasses.asdict(config))
        self.fitted_ = Decoder(
            learned, scale, about, noise_scaling=self.noise_scaling, seen=digests(trials.images)
        )
        self.image_shape_ = self.fitted_.image_shape
        return self

    def predict(self, X: Any, repeats: Any = None) -> np.ndarray:
        """Reconstructs images.

        Args:
            X: (n, voxels) responses in the units of `fit`.
            repeats: trials that each row averages, one number or (n,); see `Decoder.predict`.

        Returns:
            (n, height, width, channels) float32 in [0, 1].
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        return self.fitted_.predict(X, repeats)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2, averaged over the pixels that vary, each weighing as its variance."""
        check_is_fitted(self)
        targets = as_targets(y)
        black, white = (0, 255) if targets.dtype == np.uint8 else self.y_range_
        predicted = black + (white - black) * self.predict(X)
        return r2_score(
            targets.reshape(len(targets), -1),
            predicted.reshape(len(targets), -1),
            sample_weight=sample_weight,
            multioutput="variance_weighted",
        )


def state_as_html(decoder: Decoder) -> str:
    """What a fitted decoder takes, gives and has chosen, as one line of HTML."""
    height, width, channels = decoder.image_shape
    facts = {
        "voxels": f"{decoder.n_voxels:,}",
        "images": f"{height} × {width} × {channels}",
        **decoder.summary(),
    }
    shown = "; ".join(
        f"{name}: {f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in facts.items()
    )
    return f"<p>Fitted. {html.escape(shown)}</p>"


def _trials(fmri: np.ndarray, images: np.ndarray) -> Trials:
    """Standardised trials; those of identical images are repeats of one stimulus."""
    pixels = np.rint(images * 255).astype(np.uint8)
    numbers: dict[bytes, int] = {}
    stimulus = [numbers.setdefault(image.tobytes(), len(numbers)) for image in pixels]
    first = np.unique(stimulus, return_index=True)[1]
    names = tuple(f"image {number}" for number in range(len(first)))
    run = np.zeros(len(fmri), np.int32)
    return Trials(fmri, np.asarray(stimulus, np.int32), pixels[first], run, names)
