"""The generator: responses of the visual cortex -> image (Shen et al. 2019)."""

import math
from typing import Any

import flax.linen as nn
import jax

from fmri_jax.errors import InputError
from fmri_jax.networks.modules import HE, Conv, ConvTranspose

GRID = 4  # pixels, the side where the dense layers hand over to convolutions
SLOPE = 0.3  # of LeakyReLU below zero; the published value, not a ReLU's cap

# From the deep end: channels of the transposed convolution that doubles the image, and of the
# convolution after it, if there is one. A last doubling, to the image's channels, follows.
STAGES = ((256, 512), (256, 256), (128, 128), (64, None), (32, None))


class Generator(nn.Module):
    """Three dense layers, then doublings from 4 x 4 to the first size that holds the image.

    LeakyReLU after every layer but the last; linear output; no normalisation; the image is cut out
    of the centre (227 of 256). Smaller images take fewer stages, from the deep end. Biases of the
    convolutions keep their first values, zero or those loaded, as in the released training script,
    whose 3 x 3 layers are transposed convolutions (of stride 1), too.

    Attributes:
        image_size: px, the side, 5 to 256.
        channels: of the image.
        width: multiplies the channels; 1 is published.
        hidden: units of the dense layers; 4096 is published.
        dtype: of the arithmetic; parameters are float32.

    References:
        Shen, Dwivedi, Majima, Horikawa & Kamitani (2019), Front. Comput. Neurosci. 13:21, Figure 1.
    """

    image_size: int = 227
    channels: int = 3
    width: float = 1.0
    hidden: int = 4096
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BV: jax.Array) -> jax.Array:
        """fMRI (n, voxels) -> (n, image_size, image_size, channels), linear, not clipped."""
        stages = self.stages()
        features = self._scaled(STAGES[0][0])
        for i, units in enumerate((self.hidden, self.hidden, GRID * GRID * features)):
            dense = nn.Dense(units, kernel_init=HE, dtype=self.dtype, name=f"fc{7 - i}")
            x_BV = nn.leaky_relu(dense(x_BV), SLOPE)
        x = x_BV.reshape(-1, GRID, GRID, features)
        for number, (doubled, refined) in zip(range(5, 0, -1), stages, strict=False):
            name = f"deconv{number}"
            x = nn.leaky_relu(ConvTranspose(self._scaled(doubled), self.dtype, name=name)(x), SLOPE)
            if refined:
                name = f"conv{number}_1"
                conv = Conv(self._scaled(refined), 3, 1, 1, self.dtype, fixed_bias=True, name=name)
                x = nn.leaky_relu(conv(x), SLOPE)
        x = ConvTranspose(self.channels, self.dtype, name="deconv0")(x)
        margin = (x.shape[1] - self.image_size) // 2
        return x[:, margin : margin + self.image_size, margin : margin + self.image_size]

    def stages(self) -> tuple[tuple[int, int | None], ...]:
        """The stages before the last doubling.

        Raises:
            InputError: the image is larger than the published layers reach.
        """
        doublings = max(1, math.ceil(math.log2(self.image_size / GRID)))
        if doublings > len(STAGES) + 1:
            raise InputError(
                f"images of {self.image_size} pixels are too large for the generator: expected at "
                f"most {GRID * 2 ** (len(STAGES) + 1)}; set config.preparation.image_size or "
                "config.method.crop."
            )
        return STAGES[: doublings - 1]

    def _scaled(self, channels: int) -> int:
        return max(1, round(channels * self.width))
