"""The transformers between a UNet's convolutions, through which a context acts on an image."""

from typing import Any

import flax.linen as nn
import jax

from fmri_jax.networks.group_norm import GroupNorm
from fmri_jax.networks.modules import Dense
from fmri_jax.networks.tokens import Attention

EPSILON = 1e-6  # of the group normalisation; ten times smaller than that of residual blocks
LAYER_EPSILON = 1e-5


class GatedDense(nn.Module):
    """A dense layer four times as wide, each unit times the exact GELU of its gate.

    Attributes:
        dtype: of the arithmetic; parameters are float32.

    References:
        Shazeer (2020), "GLU variants improve transformer", arXiv:2002.05202, equation 6: GEGLU.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x_BTF: jax.Array) -> jax.Array:
        """(n, tokens, width) -> (n, tokens, width)."""
        width = x_BTF.shape[-1]
        units = Dense(8 * width, dtype=self.dtype, name="fc1")(x_BTF)
        values, gates = units[..., : 4 * width], units[..., 4 * width :]
        y = values * nn.gelu(gates, approximate=False)
        return Dense(width, dtype=self.dtype, name="fc2")(y)


class TransformerBlock(nn.Module):
    """Attention to the image, to the context, and a gated dense layer, each beside a shortcut.

    Attributes:
        heads: of both attentions.
        dtype: of the arithmetic; parameters are float32.
    """

    heads: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BTF: jax.Array, context_BSE: jax.Array) -> jax.Array:
        """Tokens of images (n, t, width) and of their contexts (n, s, any) -> (n, t, width)."""

        def norm(number: int, x: jax.Array) -> jax.Array:
            return nn.LayerNorm(
                LAYER_EPSILON, dtype=self.dtype, use_fast_variance=False, name=f"norm{number}"
            )(x)

        attend = [
            Attention(self.heads, biases=False, dtype=self.dtype, name=name)
            for name in ("self_attention", "cross_attention")
        ]
        x = x_BTF + attend[0](norm(1, x_BTF))
        x = x + attend[1](norm(2, x), context_BSE=context_BSE)
        return x + GatedDense(self.dtype, name="dense")(norm(3, x))


class SpatialTransformer(nn.Module):
    """What a context adds to an image: normalise, project, a transformer over pixels, project back.

    The shortcut is left to the caller, who may sum several transformers' additions. The last
    projection starts at zero.

    Attributes:
        heads: of the attentions.
        groups: of the normalisation.
        dtype: of the arithmetic; parameters are float32.

    References:
        Rombach et al. (2022), "High-resolution image synthesis with latent diffusion models", CVPR,
        appendix E.2.1.
    """

    heads: int
    groups: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array, context_BSE: jax.Array) -> jax.Array:
        """Images (n, h, w, c), contexts (n, tokens, width) -> (n, h, w, c)."""
        n, *_, channels = x_BHWC.shape
        y = GroupNorm(self.groups, EPSILON, self.dtype, name="norm")(x_BHWC)
        y = Dense(channels, dtype=self.dtype, name="project_in")(y.reshape(n, -1, channels))
        y = TransformerBlock(self.heads, self.dtype, name="block")(y, context_BSE)
        zeros = nn.initializers.zeros
        y = Dense(channels, dtype=self.dtype, kernel_init=zeros, name="project_out")(y)
        return y.reshape(x_BHWC.shape)
