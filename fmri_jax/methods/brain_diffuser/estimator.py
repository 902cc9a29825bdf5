"""Brain-Diffuser as a scikit-learn estimator."""

from typing import Any, ClassVar

from sklearn.utils import Tags

from fmri_jax.methods.estimator import ImageDecoder


class BrainDiffuserDecoder(ImageDecoder):
    """Reconstructs images by Brain-Diffuser (Ozcelik & VanRullen 2023).

    Ridge decodes the latents of a very deep VAE, which gives layout and colours, then embeddings
    of the image, under which a latent diffusion model makes a picture of that layout. Options are
    those of the method's `Config`, where each is explained. `fit` has no captions, so that the
    second stage is told of the image alone.

    Args:
        prior: the very deep VAE of the first stage, a name of `fmri_jax.priors` or a folder.
        prior_weights: file of a published prior's weights; None: downloaded ones.
        n_layers: blocks of its decoder whose latents are decoded; None: all.
        latents: "mean" or "sample" of the posterior.
        alpha: ridge penalty of latents; None: chosen for each block.
        gain: "out_of_fold" undoes the shrinking of what is decoded; "none" does not.
        temperature: of the latents that follow from the prior; 0: their means.
        pixels: "mean" or "sample" of each pixel's distribution.
        stages: "both", "first" or "second".
        diffusion: the latent diffusion model of the second stage.
        diffusion_weights: folder of a published model's weights.
        image_alpha: ridge penalty of image embeddings; None: chosen.
        text_alpha: ridge penalty of text embeddings; None: chosen.
        strength: share of the diffusion that the first stage's image goes through.
        n_steps: of the diffusion.
        guidance: of classifier-free guidance; 1: none.
        image_share: of the image embedding beside the text embedding; 1: no text is decoded.
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

    method: ClassVar[str] = "brain_diffuser"

    def __init__(
        self,
        prior: str = "small_vdvae",
        prior_weights: str | None = None,
        n_layers: int | None = None,
        latents: str = "mean",
        alpha: float | None = None,
        gain: str = "out_of_fold",
        temperature: float = 0.0,
        pixels: str = "mean",
        stages: str = "both",
        diffusion: str = "small_latent_diffusion",
        diffusion_weights: str | None = None,
        image_alpha: float | None = None,
        text_alpha: float | None = None,
        strength: float = 0.75,
        n_steps: int = 50,
        guidance: float = 7.5,
        image_share: float = 0.6,
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
        self.n_layers = n_layers
        self.latents = latents
        self.alpha = alpha
        self.gain = gain
        self.temperature = temperature
        self.pixels = pixels
        self.stages = stages
        self.diffusion = diffusion
        self.diffusion_weights = diffusion_weights
        self.image_alpha = image_alpha
        self.text_alpha = text_alpha
        self.strength = strength
        self.n_steps = n_steps
        self.guidance = guidance
        self.image_share = image_share
        self.n_samples = n_samples
        self.choice = choice
        self.seed = seed
        self.image_shape = image_shape
        self.y_range = y_range
        self.verbose = verbose

    def first_stage(self, X: Any) -> Any:
        """What the VAE makes of responses (n, voxels) in the units of `fit`: (n, h, w, c)."""
        reconstructor: Any = self.fitted_.reconstructor
        return reconstructor.first_stage(self.fitted_.standardise(X))

    def samples(self, X: Any) -> Any:
        """All images that are drawn: (n, voxels) in the units of `fit` -> (samples, n, h, w, c)."""
        reconstructor: Any = self.fitted_.reconstructor
        return reconstructor.samples(self.fitted_.standardise(X))

    def __sklearn_tags__(self) -> Tags:
        """Photographs of a prior are no regression on a toy problem, and are drawn."""
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.non_deterministic = self.stages != "first"
        return tags
