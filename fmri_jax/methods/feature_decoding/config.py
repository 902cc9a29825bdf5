"""The options of feature decoding and of rendering by optimisation."""

import dataclasses
import math
from typing import Literal

from fmri_jax.config import OptionalFloat, OptionalInt, OptionalStr, unknown_name
from fmri_jax.errors import InputError
from fmri_jax.features.registry import NETWORKS

PIXELS = "pixels"  # the name of the images themselves among the decoded layers

Dispersion = Literal["none", "out_of_fold", "spatial", "spatial_centred", "train_mean_centred"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of feature decoding.

    Attributes:
        network: the feature network, by its name in `fmri_jax.features.registry.NETWORKS`.
        network_weights: file of its weights; None: the published ones, found or downloaded.
        network_size: px of the square that images are resized to before the network; None: as they
            are, where the network can take them.
        layers: the activations that are decoded and matched.
        n_voxels: voxels that each unit is decoded from, those that correlate best with it; None:
            all, with one penalty per layer. The published decoder has 500.
        alpha: ridge penalty on standardised voxels; None: by the exact error of leaving a stimulus
            out, or 100, the published one, where `n_voxels` is given.
        dispersion: how the shrinking of decoded features is undone, see `dispersion`.
        pixel_weight: weight of decoded pixels as one more layer; 0 leaves them out.
        pixel_decoder: what decodes them, "ridge" (by octave, see `linear.pixel_bands`) or "local"
            decoders (`methods.local_pixels`).
        response_weight: weight of the measured responses, which an encoding model of the training
            trials predicts from the image's layers, see `responses`; 0 leaves them out.
        select: "fixed", or "inner": `pixel_weight` is chosen for each fold on training stimuli that
            were left out, see `selection`.
        renderer: what is optimised: the pixels, the latents of a deep generator, the weights of a
            deep image prior; or "retrieval": nothing, the nearest photograph is taken.
        optimiser: "adam"; "momentum", the published descent along the gradient over its mean
            magnitude; or "lbfgs".
        n_steps: of the optimiser.
        learning_rate: of the first step; it falls linearly to `final_learning_rate`.
        final_learning_rate: of the last step.
        total_variation: weight of the total variation of the image per pixel.
        jitter: largest shift in px, drawn at each step, under which the features have to match.
        latent_decay: by which latents are multiplied after each step; 1: none.
        generator: name of the deep generator's weights, "relu7" or "relu6".
        generator_weights: file of them.
        generator_bounds: file of upper bounds of the latents (`act_range/3x`); None: from features
            of the training images.
        photographs: folder or zip of photographs to retrieve from.
        block: images rendered at a time: bounds memory.
    """

    network: str = "alexnet"
    network_weights: OptionalStr = None
    network_size: OptionalInt = None
    layers: tuple[str, ...] = ("relu1", "relu2", "relu3", "relu4", "relu5")
    n_voxels: OptionalInt = None
    alpha: OptionalFloat = None
    dispersion: Dispersion = "out_of_fold"
    pixel_weight: float = 32.0
    pixel_decoder: Literal["ridge", "local"] = "ridge"
    response_weight: float = 0.0
    select: Literal["fixed", "inner"] = "fixed"
    renderer: Literal["pixels", "generator", "deep_image_prior", "retrieval"] = "pixels"
    optimiser: Literal["adam", "momentum", "lbfgs"] = "adam"
    n_steps: int = 80
    learning_rate: float = 0.02
    final_learning_rate: float = 0.0
    total_variation: float = 0.1
    jitter: int = 0
    latent_decay: float = 1.0
    generator: Literal["relu7", "relu6"] = "relu7"
    generator_weights: OptionalStr = None
    generator_bounds: OptionalStr = None
    photographs: OptionalStr = None
    block: int = 16

    def __post_init__(self) -> None:
        """Rejects values that no fit or rendering can use."""
        for name in ("n_steps", "block"):
            if getattr(self, name) < 1:
                raise InputError(f"config.method.{name} is {getattr(self, name)}: expected >= 1.")
        numbers = ("pixel_weight", "learning_rate", "final_learning_rate", "total_variation")
        for name in (*numbers, "response_weight", "jitter", "alpha", "n_voxels"):
            if not 0 <= (getattr(self, name) or 0) < math.inf:
                raise InputError(f"config.method.{name} is {getattr(self, name)}: expected >= 0.")
        if not 0 < self.latent_decay <= 1:
            raise InputError(
                f"config.method.latent_decay is {self.latent_decay}: expected a number above 0, at "
                "most 1, by which latents are multiplied after each step."
            )
        if not self.layers or PIXELS in self.layers:
            raise InputError(
                f"config.method.layers is {self.layers!r}: expected one or more layers of the "
                "network; pixels are matched by config.method.pixel_weight."
            )
        if self.renderer == "retrieval" and not self.photographs:
            raise InputError(
                "config.method.renderer is 'retrieval': name a folder or zip of photographs in "
                "config.method.photographs."
            )
        if self.renderer == "retrieval" and self.response_weight:
            raise InputError(
                "config.method.response_weight is for images that are rendered, and the renderer "
                "is 'retrieval': expected 0, or another renderer."
            )
        if self.select == "inner" and (self.renderer == "retrieval" or not self.pixel_weight):
            raise InputError(
                "config.method.select is 'inner', which chooses how much decoded pixels weigh in a "
                "rendered image: expected a renderer other than 'retrieval' and a pixel_weight "
                "above 0."
            )
        if self.optimiser == "lbfgs" and self.jitter:
            raise InputError(
                "config.method.jitter moves images at each step, which L-BFGS cannot follow: set "
                "it to 0, or choose the optimiser 'adam' or 'momentum'."
            )
        self._check_network()

    @property
    def pixels_apart(self) -> bool:
        """Whether pixels have a decoder of their own; ridge's share the layers' factorisation."""
        return self.pixel_weight > 0 and self.pixel_decoder != "ridge"

    def _check_network(self) -> None:
        if self.network not in NETWORKS:
            found = f"config.method.network={self.network!r}"
            raise InputError(unknown_name(found, self.network, NETWORKS, "feature network"))
        NETWORKS[self.network].check(self.layers)
