"""Deep generators of Dosovitskiy & Brox (2016): CaffeNet's features -> the image that had them."""

import jax
import jax.numpy as jnp

from fmri_jax.networks.caffenet import MEAN_BGR
from fmri_jax.networks.generator import Generator


class DeepGenerator(Generator):
    """CaffeNet's relu7, or relu6, -> image: the prior of natural images of Shen et al. (2019).

    The layers are those of `Generator`, which was made after it. The image is the central 224 of
    256 px (16 are cut off each side), which is what VGG19 takes.

    Attributes:
        image_size: px, the side, 129 to 256.

    References:
        Dosovitskiy & Brox (2016), "Generating images with perceptual similarity metrics based on
        deep networks", NeurIPS. Nguyen et al. (2016), "Synthesizing the preferred inputs for
        neurons in neural networks via deep generator networks", NeurIPS: optimised features.
    """

    image_size: int = 224

    def __call__(self, x_BF: jax.Array) -> jax.Array:
        """Features (n, 4096) -> RGB images (n, image_size, image_size, 3), not clipped."""
        return as_images(super().__call__(x_BF))


def as_images(x_BHWC: jax.Array) -> jax.Array:
    """Steps of 1/255 around ImageNet's mean, in RGB -> images in [0, 1], not clipped.

    Caffe's networks make blue, green and red; their weights are read such that it is RGB.
    """
    return (x_BHWC + jnp.asarray(MEAN_BGR[::-1])) / 255
