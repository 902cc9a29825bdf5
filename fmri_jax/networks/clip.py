"""CLIP's vision transformer (Radford et al. 2021), ViT-L/14 by default."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError

# CLIP's own mean and standard deviation of RGB in [0, 1].
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
EPSILON = 1e-5  # of layer normalisation


def quick_gelu(x: jax.Array) -> jax.Array:
    """CLIP's approximation of GELU: x sigmoid(1.702 x)."""
    return x * nn.sigmoid(1.702 * x)


class Attention(nn.Module):
    """Self-attention of all tokens.

    Attributes:
        heads: parts of the width that attend by themselves.
    """

    heads: int

    @nn.compact
    def __call__(self, x_BTF: jax.Array) -> jax.Array:
        """(n, tokens, width) -> (n, tokens, width)."""
        n, tokens, width = x_BTF.shape
        query, key, value = (
            nn.Dense(width, name=name)(x_BTF).reshape(n, tokens, self.heads, -1)
            for name in ("query", "key", "value")
        )
        attended = nn.dot_product_attention(query, key, value)
        return nn.Dense(width, name="out")(attended.reshape(n, tokens, width))


class Layer(nn.Module):
    """Attention, then a dense layer four times as wide, each beside a shortcut.

    Attributes:
        heads: of the attention.
    """

    heads: int

    @nn.compact
    def __call__(self, x_BTF: jax.Array) -> jax.Array:
        """(n, tokens, width) -> (n, tokens, width)."""
        width = x_BTF.shape[-1]
        y = nn.LayerNorm(EPSILON, name="norm1")(x_BTF)
        x_BTF = x_BTF + Attention(self.heads, name="attention")(y)
        y = nn.LayerNorm(EPSILON, name="norm2")(x_BTF)
        y = quick_gelu(nn.Dense(4 * width, name="fc1")(y))
        return x_BTF + nn.Dense(width, name="fc2")(y)


class CLIPVision(nn.Module):
    """The image's embedding beside texts, before it is scaled to unit length.

    Attributes:
        image_size: px, the only one that the position embeddings fit.
        patch: px, side of the patches that become tokens.
        width: features of a token; 64 of them a head.
        layers: of the transformer.
        features: of the embedding.

    References:
        Radford et al. (2021), "Learning transferable visual models from natural language
        supervision", ICML.
    """

    image_size: int = 224
    patch: int = 14
    width: int = 1024
    layers: int = 24
    features: int = 768

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """RGB images (n, image_size, image_size, 3) in [0, 1] -> (n, features).

        Raises:
            InputError: the images have another size.
        """
        if x_BHWC.shape[1:] != (self.image_size, self.image_size, 3):
            raise InputError(
                f"CLIP was given images of shape {x_BHWC.shape[1:]}: expected RGB at "
                f"{self.image_size} x {self.image_size}; resize them first."
            )
        n, normal = len(x_BHWC), nn.initializers.normal(0.02)
        x = (x_BHWC - jnp.asarray(MEAN)) / jnp.asarray(DEVIATION)
        sides = (self.patch, self.patch)
        x = nn.Conv(self.width, sides, sides, "VALID", use_bias=False, name="patches")(x)
        x = x.reshape(n, -1, self.width)
        first = self.param("class_token", normal, (self.width,))
        x = jnp.concatenate([jnp.broadcast_to(first, (n, 1, self.width)), x], axis=1)
        x = x + self.param("positions", normal, x.shape[1:])
        x = nn.LayerNorm(EPSILON, name="norm_before")(x)
        for i in range(self.layers):
            x = Layer(self.width // 64, name=f"layer{i}")(x)
        x = nn.LayerNorm(EPSILON, name="norm_after")(x[:, 0])
        return nn.Dense(self.features, use_bias=False, name="projection")(x)
