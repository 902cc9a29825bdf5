"""CLIP's transformers (Radford et al. 2021): images, and texts in the same space; ViT-L/14."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks.tokens import Attention, divided_by_norm

# CLIP's own mean and standard deviation of RGB in [0, 1].
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
EPSILON = 1e-5  # of layer normalisation


def quick_gelu(x: jax.Array) -> jax.Array:
    """CLIP's approximation of GELU: x sigmoid(1.702 x)."""
    return x * nn.sigmoid(1.702 * x)


class Layer(nn.Module):
    """Attention, then a dense layer four times as wide, each beside a shortcut.

    Attributes:
        heads: of the attention.
    """

    heads: int

    @nn.compact
    def __call__(self, x_BTF: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """(n, tokens, width) -> (n, tokens, width); the mask is that of `Attention`."""
        width = x_BTF.shape[-1]
        y = nn.LayerNorm(EPSILON, name="norm1")(x_BTF)
        x_BTF = x_BTF + Attention(self.heads, name="attention")(y, mask)
        y = nn.LayerNorm(EPSILON, name="norm2")(x_BTF)
        y = quick_gelu(nn.Dense(4 * width, name="fc1")(y))
        return x_BTF + nn.Dense(width, name="fc2")(y)


class CLIPVision(nn.Module):
    """The image's embedding beside texts, and all tokens in the same space.

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
    def __call__(self, x_BHWC: jax.Array) -> dict[str, jax.Array]:
        """Embeds RGB images.

        Args:
            x_BHWC: (n, image_size, image_size, 3) in [0, 1].

        Returns:
            "tokens", (n, 1 + patches, features): every token normalised and projected as the class
            token is, which comes first, and divided by that one's norm, as Versatile Diffusion
            takes them (Xu et al. 2023); only the class token then has unit norm. "embedding",
            (n, features): the projected class token before this division.

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
        x = nn.LayerNorm(EPSILON, name="norm_after")(x)
        x = nn.Dense(self.features, use_bias=False, name="projection")(x)
        return {"tokens": divided_by_norm(x, x[:, 0]), "embedding": x[:, 0]}


class CLIPText(nn.Module):
    """The text's embedding beside images, and all tokens in the same space.

    Attributes:
        vocabulary: tokens that there are; the last one ends each text.
        length: tokens of the longest text, with its first and last token.
        width: features of a token; 64 of them a head.
        layers: of the transformer.
        features: of the embedding.

    References:
        Radford et al. (2021), "Learning transferable visual models from natural language
        supervision", ICML.
    """

    vocabulary: int = 49408
    length: int = 77
    width: int = 768
    layers: int = 12
    features: int = 768

    @nn.compact
    def __call__(self, ids_BT: jax.Array) -> dict[str, jax.Array]:
        """Embeds texts.

        Args:
            ids_BT: (n, up to `length`) int32, each text ended by the token of the highest number;
                what follows does not act on the embedding, but has tokens of its own.

        Returns:
            "tokens", (n, tokens, features): the normalised and projected states, divided by the
            norm of the projected token that ends the text, as Versatile Diffusion takes them (Xu et
            al. 2023); "embedding", (n, features): that token before this division.
        """
        n, tokens = ids_BT.shape
        normal = nn.initializers.normal(0.02)
        words = self.param("words", normal, (self.vocabulary, self.width))
        positions = self.param("positions", normal, (self.length, self.width))
        x = words[ids_BT] + positions[:tokens]
        earlier = jnp.tril(jnp.ones((tokens, tokens), bool))
        for i in range(self.layers):
            x = Layer(self.width // 64, name=f"layer{i}")(x, earlier)
        x = nn.LayerNorm(EPSILON, name="norm_after")(x)
        x = nn.Dense(self.features, use_bias=False, name="projection")(x)
        embedding = x[jnp.arange(n), ids_BT.argmax(axis=1)]
        return {"tokens": divided_by_norm(x, embedding), "embedding": embedding}
