"""Images as a pyramid of latents (Burt & Adelson 1983), from which a small VAE begins."""

from typing import Any

import flax.linen as nn
import jax

from fmri_jax.arrays import resize
from fmri_jax.networks.modules import Dense
from fmri_jax.networks.resampling import coarse_waves, gather_squares, spread_squares

QUIET = 2.0  # by how much log standard deviations of a level's latents are lower to begin with


class Level(nn.Module):
    """A level: a small image as squares of pixels, and squares as latents, both linear.

    Attributes:
        image_size: px, the side of the images.
        patch: px, the side of the squares.
        latent_channels: of the latents, one place for each square.
        channels: of the images.
        dtype: of the arithmetic; parameters are float32.

    References:
        Burt & Adelson (1983), "The Laplacian pyramid as a compact image code", IEEE Transactions on
        Communications 31:532.
    """

    image_size: int
    patch: int
    latent_channels: int
    channels: int
    dtype: Any = None

    def setup(self) -> None:
        """Two linear maps, each the other's transpose to begin with."""
        waves = coarse_waves(self.patch, self.latent_channels, self.channels)
        there, back = (nn.initializers.constant(start) for start in (waves, waves.T))
        self.to_latents = Dense(waves.shape[1], kernel_init=there, dtype=self.dtype)
        self.to_squares = Dense(waves.shape[0], kernel_init=back, dtype=self.dtype)

    def latents(self, image_BHWC: jax.Array, resolution: int) -> jax.Array:
        """Images (n, size, size, channels) -> (n, resolution, resolution, latent channels)."""
        times = self.image_size // (resolution * self.patch)
        small = nn.avg_pool(image_BHWC, (times, times), (times, times))
        return self.to_latents(gather_squares(small, self.patch))

    def image(self, latents_BHWC: jax.Array) -> jax.Array:
        """Latents (n, h, w, latent channels) -> (n, size, size, channels)."""
        small = spread_squares(self.to_squares(latents_BHWC), self.patch)
        return resize(small, self.image_size, self.image_size, antialias=False, method="bilinear")
