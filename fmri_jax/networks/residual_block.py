"""What the UNet and the autoencoder of latent diffusion are built of, apart from attention."""

from typing import Any

import flax.linen as nn
import jax

from fmri_jax.networks.group_norm import GroupNorm
from fmri_jax.networks.modules import HE, Conv, Dense

ZEROS = nn.initializers.zeros


class ResidualBlock(nn.Module):
    """Norm, SiLU and a 3 x 3 convolution, twice, beside a shortcut (1 x 1 where channels change).

    The second convolution starts at zero, so that a fresh block is its shortcut.

    Attributes:
        features: channels out.
        groups: of the normalisations.
        epsilon: of the normalisations.
        dtype: of the arithmetic; parameters are float32.
    """

    features: int
    groups: int
    epsilon: float
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array, time_BF: jax.Array | None = None) -> jax.Array:
        """Images (n, h, w, in), embedded times (n, any) or none -> (n, h, w, features)."""
        y = self._part(1, x_BHWC, HE)
        if time_BF is not None:
            shift = Dense(self.features, dtype=self.dtype, name="time")(nn.silu(time_BF))
            y = y + shift[:, None, None, :]
        y = self._part(2, y, ZEROS)
        if x_BHWC.shape[-1] != self.features:
            x_BHWC = Dense(self.features, dtype=self.dtype, name="shortcut")(x_BHWC)
        return x_BHWC + y

    def _part(self, number: int, x_BHWC: jax.Array, first_kernel: Any) -> jax.Array:
        norm = GroupNorm(self.groups, self.epsilon, self.dtype, name=f"norm{number}")
        conv = Conv(
            self.features,
            3,
            padding=1,
            dtype=self.dtype,
            kernel_init=first_kernel,
            name=f"conv{number}",
        )
        return conv(nn.silu(norm(x_BHWC)))
