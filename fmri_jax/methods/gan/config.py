"""The options of the end-to-end GAN, and the published loss weights in one scale."""

import dataclasses
import math
from typing import Literal

from fmri_jax.config import OptionalFloat, OptionalInt, OptionalStr
from fmri_jax.errors import InputError

# One scale for all weights: mean-squared errors on pixels in [0, 1] and on comparator activations,
# and the mean of -log D. Shen et al. sum squares, halve them and divide by the batch, on pixels in
# 0-255: l_img 2e-6, l_feat 0.01, l_adv 100. One pixel's mean-squared error on [0, 1] is then worth
# 2e-6 / 2 x (227 x 227 x 3) x 255^2 = 10,052; one feature's, 0.01 / 2 x (6 x 6 x 256) = 46.1.
# Their features are pool5; one activation weighs as much where `comparator_layers` names another.
PAPER_WEIGHTS = {"image": 10_052.0, "feature": 46.1, "adversarial": 100.0}

# The student report weighs mean-squared errors on ImageNet-normalised pixels by 100: per channel
# (1/.229^2 + 1/.224^2 + 1/.225^2) / 3 = 19.58 times the error on [0, 1].
REPORT_WEIGHTS = {"image": 1_958.0, "feature": 100.0, "adversarial": 10_000.0}


ROWS = 1_000  # for which steps are counted where no trials are known


def steps_for(rows: int) -> int:
    """The training steps of so many training rows, where none are given.

    17.3 times the square root of the rows, in tens, 100 at least: more rows take more steps, and
    fewer passes over each. It joins what was found best for 72 rows (150 steps, real recording of
    objects) and for 1,200 (600, simulated subject); larger recordings were not tried.
    """
    return max(100, 10 * round(17.3 * math.sqrt(rows) / 10))


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the GAN.

    Attributes:
        n_steps: training steps; None: they follow the number of training rows, see `steps_for`.
        batch_size: trials per step.
        image_weight: weight of the mean-squared pixel error, pixels in [0, 1]; 0 leaves it out.
        feature_weight: weight of the mean-squared error between comparator activations.
        adversarial_weight: weight of -log D(G(fmri)); 0 leaves the discriminator out altogether.
        response_weight: weight of 1 less the correlation of the responses with those that an
            encoding model of the training trials predicts of the generated image from
            `comparator_layers` (Gaziv et al. 2022, the encoder after the decoder); 0 leaves it out.
        start: what the generator is given. "responses": the standardised voxels, as published;
            "ridge" or "local": the image that ridge regression or local decoders make of them,
            which it refines (`methods.pixel_decoders`).
        averaging: of the generator: the share of its moving average that each step leaves as it
            was, such as .98; 0: the generator of the last step is kept.
        comparator: pretrained network whose activations the feature and response terms compare.
        comparator_weights: file of its weights; None: the published ones, found or downloaded.
        comparator_layers: its activations that they compare; the feature term averages over layers.
        comparator_size: pixels that images are resized to before the comparator; None: as they are.
        crop: image size in training, a random crop of the prepared images; None: no crop. In
            testing images are cropped at the centre.
        width: multiplies the generator's channels, of which at least one is left; above 0; 1 is the
            published network.
        hidden: units of each dense layer; 4096 in the published network; a generator that refines
            has none.
        discriminator_width: multiplies the discriminator's channels likewise.
        learning_rate: Adam's, of the generator.
        discriminator_learning_rate: Adam's, of the discriminator.
        first_moment: Adam's beta 1.
        halve_at: steps after which the learning rates are halved, each network's own, without
            those in which `gate` paused it.
        cosine_decay: let both learning rates fall to zero along a half cosine instead.
        weight_decay: L2 decay of the discriminator's weights.
        generator_weight_decay: decoupled (AdamW) decay of the generator's weights.
        largest_gradient: of each network: gradients of a larger norm are scaled down to it.
        fmri_noise: standard deviation of Gaussian noise added to the standardised voxels at each
            training step. It acts as ridge regularisation on the first layer (Bishop 1995).
        update: "simultaneous": both networks from one forward pass; "alternating": the
            discriminator first, then the generator against the updated discriminator.
        gate: pause a network that is far ahead, by the paper's ratio of losses.
        dtype: arithmetic of the networks; parameters stay float32.
        shard_dense: split the generator's dense layers and their optimiser state over the devices,
            instead of a copy on each: less memory, more communication.
        steps_per_dispatch: steps per call of the device, for accelerators on which a step takes
            no longer than the call; on CPU a call takes one (`training.dispatch`).
        log_every: steps between two points of the training curves.
        checkpoint_every: steps between two checkpoints.
    """

    n_steps: OptionalInt = None
    batch_size: int = 32
    image_weight: float = PAPER_WEIGHTS["image"]
    feature_weight: float = PAPER_WEIGHTS["feature"]
    adversarial_weight: float = PAPER_WEIGHTS["adversarial"]
    response_weight: float = 0.0
    start: Literal["responses", "ridge", "local"] = "responses"
    averaging: float = 0.0
    comparator: Literal["alexnet", "caffenet", "vgg16"] = "alexnet"
    comparator_weights: OptionalStr = None
    comparator_layers: tuple[str, ...] = ("relu5",)
    comparator_size: OptionalInt = None
    crop: OptionalInt = None
    width: float = 1.0
    hidden: int = 4096
    discriminator_width: float = 1.0
    learning_rate: float = 2e-4
    discriminator_learning_rate: float = 2e-4
    first_moment: float = 0.9
    halve_at: tuple[int, ...] = ()
    cosine_decay: bool = False
    weight_decay: float = 4e-4
    generator_weight_decay: float = 0.0
    largest_gradient: OptionalFloat = None
    fmri_noise: float = 0.0
    update: Literal["simultaneous", "alternating"] = "simultaneous"
    gate: bool = False
    dtype: Literal["float32", "bfloat16"] = "float32"
    shard_dense: bool = False
    steps_per_dispatch: int = 1
    log_every: int = 10
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        """Rejects values that no training could use."""
        counts = ("n_steps", "batch_size", "hidden", "steps_per_dispatch")
        for name in (*counts, "log_every", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"config.method.{name} is {value}: expected >= 1.")
        weights = ("image_weight", "feature_weight", "adversarial_weight", "response_weight")
        others = ("fmri_noise", "weight_decay", "generator_weight_decay", "crop", "comparator_size")
        rates = ("learning_rate", "discriminator_learning_rate", "largest_gradient")
        for name in (*weights, *others, *rates):
            if not 0 <= (getattr(self, name) or 0) < math.inf:
                raise InputError(f"config.method.{name} is {getattr(self, name)}: expected >= 0.")
        for name in ("width", "discriminator_width"):  # a network keeps a channel whatever it says
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(
                    f"config.method.{name} is {getattr(self, name)}: expected a number above 0, "
                    "such as 0.25 for a quarter of the published channels."
                )
        if not any(getattr(self, name) for name in weights):
            raise InputError(
                "config.method has image_weight, feature_weight, adversarial_weight and "
                "response_weight all 0: the generator would learn nothing; set at least one of "
                "them above 0."
            )
        if not 0 <= self.first_moment < 1:
            raise InputError(
                f"config.method.first_moment is {self.first_moment}: expected 0 to below 1, as "
                "Adam divides by what is left to 1."
            )
        self._check_start()
        self._check_comparison()
        if self.cosine_decay and self.halve_at:
            raise InputError(
                "config.method has cosine_decay and halve_at: expected one way for the learning "
                "rates to fall; set cosine_decay=False to halve them."
            )

    def _check_comparison(self) -> None:
        if self.compares and not self.comparator_layers:
            raise InputError(
                "config.method.comparator_layers names no layer: name one, or leave out the terms "
                "that need it by feature_weight=0 and response_weight=0."
            )
        if self.response_weight and (self.crop or self.refines):
            raise InputError(
                "config.method.response_weight compares the responses with those to the generated "
                "image as a whole: expected start='responses' and crop=None."
            )

    def _check_start(self) -> None:
        if not 0 <= self.averaging < 1:
            raise InputError(
                f"config.method.averaging is {self.averaging}: expected 0 to below 1, such as 0.98."
            )
        if self.refines and self.fmri_noise:
            raise InputError(
                f"config.method.fmri_noise is added to responses, and with start={self.start!r} "
                "the generator sees none: expected fmri_noise=0, or start='responses'."
            )
        if self.refines and self.shard_dense:
            raise InputError(
                "config.method.shard_dense splits dense layers, and a generator with "
                f"start={self.start!r} has none: expected shard_dense=False, or start='responses'."
            )

    @property
    def refines(self) -> bool:
        """Whether the generator is given images, which it refines."""
        return self.start != "responses"

    @property
    def compares(self) -> bool:
        """Whether a term needs the comparator's activations."""
        return bool(self.feature_weight or self.response_weight)

    @property
    def total_steps(self) -> int:
        """`n_steps`, or those of `ROWS` rows where they are left open."""
        return self.n_steps or steps_for(ROWS)

    def for_rows(self, rows: int) -> "Config":
        """The options with as many steps as so many training rows take, where none are given."""
        return self if self.n_steps else dataclasses.replace(self, n_steps=steps_for(rows))
