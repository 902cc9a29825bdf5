"""What is optimised: the pixels, the input of a deep generator, or the weights of a network.

Each is a pytree with the same three verbs: `start` gives the first variables of n images, `images`
what they stand for, `project` the nearest allowed ones after a step.
"""

from typing import Any, Protocol

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import features, pretrained
from fmri_jax.arrays import resize
from fmri_jax.errors import InputError
from fmri_jax.methods.feature_decoding.config import PIXELS, Config
from fmri_jax.methods.feature_decoding.encoder import Layers
from fmri_jax.networks import DeepGenerator, DeepImagePrior
from fmri_jax.pretrained.deep_generator import estimated_upper_bounds, load_upper_bounds

LARGEST_GENERATED = 224  # px


class Canvas(Protocol):
    """What the images of a block are made from."""

    def start(self, decoded: Layers, n: int) -> Any:
        """The first variables of n images, first axis n."""

    def images(self, variables: Any) -> jax.Array:
        """Variables -> images (n, h, w, c), inside [0, 1] or a little outside."""

    def project(self, variables: Any) -> Any:
        """The nearest allowed variables."""


@flax.struct.dataclass
class Pixels:
    """The pixels themselves, kept in [0, 1]; they start at the decoded ones, or grey."""

    shape: tuple[int, int, int] = flax.struct.field(pytree_node=False)

    def start(self, decoded: Layers, n: int) -> jax.Array:
        """Decoded pixels where there are any."""
        return decoded.get(PIXELS, jnp.full((n, *self.shape), 0.5))

    def images(self, variables: jax.Array) -> jax.Array:
        """The variables are the images."""
        return variables

    def project(self, variables: jax.Array) -> jax.Array:
        """Clips to [0, 1]."""
        return jnp.clip(variables, 0, 1)


@flax.struct.dataclass
class Latents:
    """Features that a deep generator paints (Dosovitskiy & Brox 2016), from 0 to a bound each.

    The published optimisation multiplies them by `decay` after each step, and starts at 0.
    """

    params: Any
    upper: jax.Array  # (units,)
    shape: tuple[int, int, int] = flax.struct.field(pytree_node=False)
    decay: float = flax.struct.field(pytree_node=False)

    def start(self, decoded: Layers, n: int) -> jax.Array:
        """Zeros."""
        return jnp.zeros((n, len(self.upper)))

    def images(self, variables: jax.Array) -> jax.Array:
        """What the generator makes; shrunk, and grey as the mean of its colours where need be."""
        height, width, channels = self.shape
        generator = DeepGenerator(image_size=max(height, 129))
        made = generator.apply({"params": self.params}, variables)
        assert isinstance(made, jax.Array)
        made = resize(made, height, width, antialias=True)
        return made if channels == 3 else jnp.mean(made, axis=-1, keepdims=True)

    def project(self, variables: jax.Array) -> jax.Array:
        """Decays and clips."""
        return jnp.clip(self.decay * variables, 0, self.upper)


@flax.struct.dataclass
class ImagePrior:
    """The weights of an untrained U-Net, one per image, that turns fixed noise into the image."""

    noise: jax.Array  # (1, h, w, 3)
    shape: tuple[int, int, int] = flax.struct.field(pytree_node=False)

    @property
    def network(self) -> DeepImagePrior:
        """The U-Net."""
        return DeepImagePrior(colours=self.shape[2])

    def start(self, decoded: Layers, n: int) -> Any:
        """The same random weights for every image, so that none depends on the others."""
        params = jax.jit(self.network.init)(jax.random.key(1), self.noise)["params"]
        return jax.tree.map(lambda x: jnp.repeat(x[None], n, axis=0), params)

    def images(self, variables: Any) -> jax.Array:
        """Each network's image."""

        def one(params: Any) -> Any:
            return self.network.apply({"params": params}, self.noise)

        return jax.vmap(one)(variables)[:, 0]

    def project(self, variables: Any) -> Any:
        """Any weights are allowed."""
        return variables


def build(config: Config, training_images: np.ndarray) -> Pixels | Latents | ImagePrior:
    """The canvas that the options name, for images like those of training.

    Args:
        config: the options.
        training_images: (n, h, w, c) uint8; where no file of bounds is named, latents are bounded
            by the features of these.

    Raises:
        InputError: weights cannot be had, or the images are no squares that a generator can make.
    """
    height, width, channels = training_images.shape[1:]
    shape = (height, width, channels)
    if config.renderer == "deep_image_prior":
        noise = jax.random.uniform(jax.random.key(0), (1, height, width, 3))
        return ImagePrior(noise, shape)
    if config.renderer != "generator":
        return Pixels(shape)
    if height != width or height > LARGEST_GENERATED:
        raise InputError(
            f"images are {height} x {width} pixels: the deep generator makes squares of up to "
            f"{LARGEST_GENERATED}; set config.preparation.image_size."
        )
    params = pretrained.load(f"generator_{config.generator}", config.generator_weights)
    if config.generator_bounds:
        upper = load_upper_bounds(config.generator_bounds)
    else:
        network = features.load("caffenet", layers=(config.generator,))
        upper = estimated_upper_bounds(network(training_images)[config.generator])
    return Latents(params, jnp.asarray(upper), shape, config.latent_decay)
