"""A deep image prior: the images that an untrained U-Net can make (Ulyanov et al. 2018)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks.conv.dispatch import max_pool
from fmri_jax.networks.modules import Conv

# PyTorch's, with which these networks are used: uniform up to the root of 1 / fan-in.
INITIAL = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")


class DeepImagePrior(nn.Module):
    """Noise -> image; its parameters are optimised until the image fits, one network per image.

    Two convolutions per level, each with instance normalisation and a ReLU, a 2 x 2 max-pool
    between levels; on the way up bilinear enlargement, a convolution, the level's own activations
    beside it, and two convolutions without normalisation; a sigmoid at the end. Borders are
    reflected. Images of any size: a level whose side were below two pixels is left out.

    For a batch of images with a network each, `jax.vmap` over the parameters.

    Attributes:
        channels: of each level, from the largest image to the smallest.
        slope: of the ReLU below zero; 0 is published for this network, 0.2 for Ulyanov's others.
        colours: of the image.

    References:
        Ulyanov, Vedaldi & Lempitsky (2018), "Deep image prior", CVPR. Its U-Net as in Otsuka et al.
        (2025), arXiv:2509.15832, whose batch normalisation of one image is that of instances.
    """

    channels: tuple[int, ...] = (16, 32, 64, 128, 256)
    slope: float = 0.0
    colours: int = 3

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """Noise (n, h, w, any), published: 3 channels uniform in [0, 1] -> (n, h, w, colours)."""
        x, levels = x_BHWC, []
        for level, channels in enumerate(self.channels):
            if level and min(x.shape[1:3]) < 4:
                break
            x = max_pool(x, size=2, stride=2) if level else x
            for i in (1, 2):
                x = _conv(x, channels, f"down{level}_{i}")
                norm = nn.InstanceNorm(
                    epsilon=1e-5, use_fast_variance=False, name=f"norm{level}_{i}"
                )
                x = nn.leaky_relu(norm(x), self.slope)
            levels.append(x)
        for level in reversed(range(len(levels) - 1)):
            beside = levels[level]
            x = jax.image.resize(x, (*beside.shape[:3], x.shape[-1]), "bilinear")
            x = _conv(x, self.channels[level], f"up{level}_0")
            x = jnp.concatenate([x, beside], axis=-1)
            for i in (1, 2):
                x = nn.leaky_relu(_conv(x, self.channels[level], f"up{level}_{i}"), self.slope)
        return nn.sigmoid(Conv(self.colours, 1, kernel_init=INITIAL, name="final")(x))


def _conv(x_BHWC: jax.Array, channels: int, name: str) -> jax.Array:
    """3 x 3 convolution of the reflected image, in the module that calls it."""
    padded = jnp.pad(x_BHWC, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    return Conv(channels, 3, kernel_init=INITIAL, name=name)(padded)
