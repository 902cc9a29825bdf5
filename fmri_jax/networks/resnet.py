"""ResNet-50 (He et al. 2016), stride in the 3 x 3 convolution as in torchvision's version 1.5."""

import flax.linen as nn
import jax

from fmri_jax.networks.conv_norm import ConvNorm, max_pool, normalised, spatial_mean

# Blocks of each stage; channels double from stage to stage.
BLOCKS = (3, 4, 6, 3)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolution beside a shortcut.

    Attributes:
        width: channels of the 3 x 3 convolution; four times as many come out.
        stride: of the 3 x 3 convolution.
    """

    width: int
    stride: int

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h', w', 4 width)."""
        features = 4 * self.width
        y = nn.relu(ConvNorm(self.width, (1, 1), name="conv1")(x_BHWC))
        y = nn.relu(ConvNorm(self.width, (3, 3), self.stride, (1, 1), name="conv2")(y))
        y = ConvNorm(features, (1, 1), name="conv3")(y)
        if x_BHWC.shape[-1] != features:
            x_BHWC = ConvNorm(features, (1, 1), self.stride, name="shortcut")(x_BHWC)
        return nn.relu(x_BHWC + y)


class ResNet50(nn.Module):
    """The mean over positions of the last activations: 2,048 features per image.

    References:
        He, Zhang, Ren & Sun (2016), CVPR; Caron et al. (2020), "Unsupervised learning of visual
        features by contrasting cluster assignments" (SwAV), NeurIPS, for weights without labels.
    """

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """RGB images (n, h, w, 3) in [0, 1] -> (n, 2048)."""
        x = ConvNorm(64, (7, 7), 2, (3, 3), name="conv1")(normalised(x_BHWC))
        x = max_pool(nn.relu(x), padding=1)
        for stage, blocks in enumerate(BLOCKS, start=1):
            for i in range(blocks):
                stride = 2 if i == 0 and stage > 1 else 1
                x = Bottleneck(32 * 2**stage, stride, name=f"layer{stage}_{i}")(x)
        return spatial_mean(x)
