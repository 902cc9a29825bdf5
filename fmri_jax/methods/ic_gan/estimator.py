"""IC-GAN as a scikit-learn estimator."""

from typing import Any, ClassVar

from sklearn.utils import Tags

from fmri_jax.methods.estimator import ImageDecoder


class ICGANDecoder(ImageDecoder):
    """Reconstructs images by an instance-conditioned GAN (Casanova et al. 2021).

    Ridge decodes the features of the image, at unit length, under which a generator that was
    trained on photographs alone makes images like it (Ozcelik et al. 2022). Options are those of
    the method's `Config`, where each is explained.

    Args:
        prior: the generator, a name of `fmri_jax.priors` or a folder.
        prior_weights: file of a published generator's weights; None: downloaded ones.
        instance: "decoded" features, or those of the "nearest" real image.
        instances: folder or zip among which the nearest is sought; None: the training images.
        noise: "drawn", "zeros" or "decoded".
        first: activations of the generator's first layer, of the "noise" or "decoded".
        alpha: ridge penalty of features; None: chosen.
        noise_alpha: ridge penalty of decoded noise; None: chosen.
        first_alpha: ridge penalty of decoded activations; None: chosen.
        gain: "out_of_fold" undoes the shrinking of what is decoded; "none" does not.
        truncation: standard deviation of drawn noise; None: that of the prior.
        inversion_steps: that find noise and activations of each training image, where decoded.
        n_samples: images that are drawn for each row.
        choice: "first" of them, their "mean", or the one whose predicted "responses" fit.
        seed: of all draws.
        image_shape: (height, width) or (height, width, channels) of flattened images.
        y_range: (black, white), the values of `y` that mean 0 and 1; None: its own range. Images of
            uint8 go from 0 to 255.
        verbose: whether to show a progress bar.

    Attributes:
        fitted_: the decoder, `fmri_jax.methods.decoder.Decoder`.
        image_shape_: (height, width, channels).
        y_range_: black and white of `y`.
        n_features_in_: voxels.
    """

    method: ClassVar[str] = "ic_gan"

    def __init__(
        self,
        prior: str = "small_ic_gan",
        prior_weights: str | None = None,
        instance: str = "decoded",
        instances: str | None = None,
        noise: str = "drawn",
        first: str = "noise",
        alpha: float | None = None,
        noise_alpha: float | None = None,
        first_alpha: float | None = None,
        gain: str = "out_of_fold",
        truncation: float | None = None,
        inversion_steps: int = 0,
        n_samples: int = 1,
        choice: str = "first",
        seed: int = 0,
        image_shape: tuple[int, ...] | None = None,
        y_range: tuple[float, float] | None = (0, 1),
        verbose: bool = False,
    ) -> None:
        """Keeps the options as they are; `fit` checks them."""
        self.prior = prior
        self.prior_weights = prior_weights
        self.instance = instance
        self.instances = instances
        self.noise = noise
        self.first = first
        self.alpha = alpha
        self.noise_alpha = noise_alpha
        self.first_alpha = first_alpha
        self.gain = gain
        self.truncation = truncation
        self.inversion_steps = inversion_steps
        self.n_samples = n_samples
        self.choice = choice
        self.seed = seed
        self.image_shape = image_shape
        self.y_range = y_range
        self.verbose = verbose

    def instance_features(self, X: Any) -> Any:
        """What the generator is told of responses (n, voxels) in the units of `fit`."""
        reconstructor: Any = self.fitted_.reconstructor
        return reconstructor.instances(self.fitted_.standardise(X))

    def samples(self, X: Any) -> Any:
        """All images that are drawn: (n, voxels) in the units of `fit` -> (samples, n, h, w, c)."""
        reconstructor: Any = self.fitted_.reconstructor
        return reconstructor.samples(self.fitted_.standardise(X))

    def __sklearn_tags__(self) -> Tags:
        """Photographs of a prior are no regression on a toy problem."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
