"""Ridge regression from voxels to pixels as a scikit-learn estimator."""

from typing import Any, ClassVar, Literal

from fmri_jax.linear.penalties import PENALTIES
from fmri_jax.methods.estimator import ImageDecoder


class RidgeDecoder(ImageDecoder):
    """Reconstructs images by ridge regression from standardised voxels to all pixels.

    One penalty for all pixels is chosen by leaving out one stimulus with all of its trials: by the
    exact squared error, or by how often the left-out stimuli are identified. A linear map answers
    an average of many trials as it is: `repeats` has no effect.

    Args:
        penalties: penalties to choose from, in units of the mean eigenvalue of the trials' Gram
            matrix; a single one is taken as it is.
        average: whether the trials of a stimulus are averaged before the fit, for test responses
            that are averages; False for single test trials.
        choose: "error" for the least squared error, "identification" for the most left-out stimuli
            told from others, which takes a weaker penalty.
        image_shape: (height, width) or (height, width, channels) of flattened images; None takes a
            square number of pixels as a square image and any other as an image of one row.
        y_range: (black, white), the values of `y` that mean 0 and 1; None: its own range. Images of
            uint8 go from 0 to 255.

    Attributes:
        fitted_: the decoder, `fmri_jax.methods.decoder.Decoder`.
        penalty_: the penalty that was chosen, scikit-learn's alpha on the standardised voxels.
        image_shape_: (height, width, channels).
        y_range_: black and white of `y`.
        n_features_in_: voxels.

    References:
        Hoerl & Kennard (1970), Technometrics 12:55; Allen (1974), Technometrics 16:125.
    """

    method: ClassVar[str] = "ridge"
    noise_scaling: ClassVar[bool] = False

    def __init__(
        self,
        penalties: tuple[float, ...] = PENALTIES,
        average: bool = True,
        choose: Literal["error", "identification"] = "error",
        image_shape: tuple[int, ...] | None = None,
        y_range: tuple[float, float] | None = (0, 1),
    ) -> None:
        """Keeps the options as they are; `fit` checks them."""
        self.penalties = penalties
        self.average = average
        self.choose = choose
        self.image_shape = image_shape
        self.y_range = y_range

    def fit(self, X: Any, y: Any) -> "RidgeDecoder":
        """Chooses the penalty and solves for all pixels; see `ImageDecoder.fit`."""
        super().fit(X, y)
        self.penalty_ = self.fitted_.summary()["penalty"]
        return self
