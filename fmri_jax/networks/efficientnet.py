"""EfficientNet-B1 (Tan & Le 2019) as torchvision has it."""

import flax.linen as nn
import jax

from fmri_jax.networks.conv_norm import ConvNorm, normalised, spatial_mean

# Expansion, kernel, stride of the first block, channels out, blocks (B0's, times 1.1, rounded up).
STAGES = (
    (1, 3, 1, 16, 2),
    (6, 3, 2, 24, 3),
    (6, 5, 2, 40, 3),
    (6, 3, 2, 80, 4),
    (6, 5, 1, 112, 4),
    (6, 5, 2, 192, 5),
    (6, 3, 1, 320, 2),
)


class SqueezeExcitation(nn.Module):
    """Weighs channels by their means over all positions.

    Attributes:
        squeezed: channels of the bottleneck.
    """

    squeezed: int

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, c) -> (n, h, w, c)."""
        weights = nn.silu(nn.Dense(self.squeezed, name="fc1")(spatial_mean(x_BHWC)))
        weights = nn.sigmoid(nn.Dense(x_BHWC.shape[-1], name="fc2")(weights))
        return x_BHWC * weights[:, None, None, :]


class MobileBlock(nn.Module):
    """Widen, convolve each channel by itself, weigh channels, narrow; a shortcut where it fits.

    Attributes:
        expansion: how many times wider; 1 leaves the widening out.
        size: side of the depthwise kernel.
        stride: of the depthwise convolution.
        features: channels out.
    """

    expansion: int
    size: int
    stride: int
    features: int

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h', w', features)."""
        channels = x_BHWC.shape[-1]
        wide = channels * self.expansion
        y = x_BHWC
        if self.expansion > 1:
            y = nn.silu(ConvNorm(wide, (1, 1), name="expand")(y))
        padding = (self.size // 2,) * 2
        size = (self.size, self.size)
        y = nn.silu(ConvNorm(wide, size, self.stride, padding, groups=wide, name="depthwise")(y))
        y = SqueezeExcitation(channels // 4, name="squeeze")(y)
        y = ConvNorm(self.features, (1, 1), name="project")(y)
        return x_BHWC + y if y.shape == x_BHWC.shape else y


class EfficientNetB1(nn.Module):
    """The mean over positions of the last activations: 1,280 features per image.

    References:
        Tan & Le (2019), "EfficientNet: rethinking model scaling for convolutional neural networks",
        ICML.
    """

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """RGB images (n, h, w, 3) in [0, 1] -> (n, 1280)."""
        x = nn.silu(ConvNorm(32, (3, 3), 2, (1, 1), name="stem")(normalised(x_BHWC)))
        for stage, (expansion, size, stride, features, blocks) in enumerate(STAGES, start=1):
            for i in range(blocks):
                block = MobileBlock(
                    expansion, size, stride if i == 0 else 1, features, name=f"stage{stage}_{i}"
                )
                x = block(x)
        return spatial_mean(nn.silu(ConvNorm(1280, (1, 1), name="head")(x)))
