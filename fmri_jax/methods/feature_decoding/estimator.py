"""Feature decoding as a scikit-learn estimator."""

from typing import Any, ClassVar, Literal

from sklearn.utils import Tags

from fmri_jax.methods.estimator import ImageDecoder


class FeatureDecoder(ImageDecoder):
    """Reconstructs images by decoding a network's features (Shen et al. 2019, PLoS Comput. Biol.).

    Every layer of a pretrained network is decoded from all voxels by ridge regression, whose
    penalty is chosen for each layer by leaving stimuli out; then an image is found whose layers
    match. Options are those of the method's `Config`, where each is explained.

    Args:
        network: the feature network, such as "alexnet" or "vgg16".
        network_weights: file of its weights; None takes the published ones.
        network_size: px that images are resized to before the network; None: as they are.
        layers: the activations that are decoded and matched.
        n_voxels: voxels per unit, those that correlate best with it, 500 as published; None: all.
        alpha: ridge penalty; None: chosen for each layer, or 100 with `n_voxels`.
        dispersion: how the shrinking of decoded features is undone.
        pixel_weight: weight of decoded pixels as one more layer.
        pixel_decoder: what decodes them: "ridge", or "local" decoders of parts of the image.
        select: "inner" chooses `pixel_weight` on training stimuli that were left out.
        renderer: "pixels", "generator", "deep_image_prior" or "retrieval".
        optimiser: "adam", "momentum" or "lbfgs".
        n_steps: of the optimiser.
        learning_rate: of the first step.
        final_learning_rate: of the last step.
        total_variation: weight of the image's total variation.
        jitter: largest shift in px under which the features have to match.
        latent_decay: by which a generator's latents are multiplied after each step.
        generator: "relu7" or "relu6".
        generator_weights: file of the deep generator's weights.
        generator_bounds: file of upper bounds of its latents.
        photographs: folder or zip of photographs to retrieve from.
        block: images rendered at a time.
        image_shape: (height, width) or (height, width, channels) of flattened images.
        y_range: (black, white), the values of `y` that mean 0 and 1; None: its own range. Images of
            uint8 go from 0 to 255.
        verbose: whether to show a progress bar.
        response_weight: weight of the measured responses, as an encoding model predicts them; 0:
            left out.

    Attributes:
        fitted_: the decoder, `fmri_jax.methods.decoder.Decoder`.
        image_shape_: (height, width, channels).
        y_range_: black and white of `y`.
        n_features_in_: voxels.
    """

    method: ClassVar[str] = "feature_decoding"
    noise_scaling: ClassVar[bool] = False

    def __init__(
        self,
        network: str = "alexnet",
        network_weights: str | None = None,
        network_size: int | None = None,
        layers: tuple[str, ...] = ("relu1", "relu2", "relu3", "relu4", "relu5"),
        n_voxels: int | None = None,
        alpha: float | None = None,
        dispersion: str = "out_of_fold",
        pixel_weight: float = 32.0,
        pixel_decoder: Literal["ridge", "local"] = "ridge",
        select: str = "fixed",
        renderer: str = "pixels",
        optimiser: str = "adam",
        n_steps: int = 80,
        learning_rate: float = 0.02,
        final_learning_rate: float = 0.0,
        total_variation: float = 0.1,
        jitter: int = 0,
        latent_decay: float = 1.0,
        generator: str = "relu7",
        generator_weights: str | None = None,
        generator_bounds: str | None = None,
        photographs: str | None = None,
        block: int = 16,
        image_shape: tuple[int, ...] | None = None,
        y_range: tuple[float, float] | None = (0, 1),
        verbose: bool = False,
        response_weight: float = 0.0,
    ) -> None:
        """Keeps the options as they are; `fit` checks them."""
        self.network = network
        self.network_weights = network_weights
        self.network_size = network_size
        self.layers = layers
        self.n_voxels = n_voxels
        self.alpha = alpha
        self.dispersion = dispersion
        self.pixel_weight = pixel_weight
        self.pixel_decoder = pixel_decoder
        self.select = select
        self.renderer = renderer
        self.optimiser = optimiser
        self.n_steps = n_steps
        self.learning_rate = learning_rate
        self.final_learning_rate = final_learning_rate
        self.total_variation = total_variation
        self.jitter = jitter
        self.latent_decay = latent_decay
        self.generator = generator
        self.generator_weights = generator_weights
        self.generator_bounds = generator_bounds
        self.photographs = photographs
        self.block = block
        self.image_shape = image_shape
        self.y_range = y_range
        self.verbose = verbose
        self.response_weight = response_weight

    def decode(self, X: Any) -> Any:
        """Decoded layers: (n, voxels) in the units of `fit` -> layer -> (n, ...)."""
        reconstructor: Any = self.fitted_.reconstructor
        return reconstructor.decode(self.fitted_.standardise(X))

    def __sklearn_tags__(self) -> Tags:
        """Images that match a network's features are no regression on a toy problem."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
