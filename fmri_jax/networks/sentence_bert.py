"""Sentence-BERT (Reimers & Gurevych 2019): a BERT whose mean token is a sentence's embedding.

The sizes are those of MiniLM-L6 (Wang et al. 2020), as all-MiniLM-L6-v2 was trained from it.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks.tokens import Attention, divided_by_norm

# Variances as the mean squared distance from the mean: BERT adds next to nothing to them.
_Norm = functools.partial(nn.LayerNorm, 1e-12, use_fast_variance=False)


class BERTLayer(nn.Module):
    """Attention, then a dense layer, each normalised together with its shortcut.

    Attributes:
        heads: of the attention.
    """

    heads: int

    @nn.compact
    def __call__(self, x_BTF: jax.Array, mask: jax.Array) -> jax.Array:
        """(n, tokens, width) -> (n, tokens, width); the mask is that of `Attention`."""
        width = x_BTF.shape[-1]
        y = Attention(self.heads, name="attention")(x_BTF, mask)
        x_BTF = _Norm(name="norm1")(x_BTF + y)
        y = nn.gelu(nn.Dense(4 * width, name="fc1")(x_BTF), approximate=False)
        return _Norm(name="norm2")(x_BTF + nn.Dense(width, name="fc2")(y))


class SentenceBERT(nn.Module):
    """A sentence's embedding of unit norm, and all its tokens.

    Attributes:
        vocabulary: tokens that there are; number 0 fills up.
        length: tokens of the longest sentence, with its first and last token.
        width: features of a token, and of the embedding.
        layers: of the transformer.
        heads: of the attention.

    References:
        Reimers & Gurevych (2019), "Sentence-BERT", EMNLP; Wang et al. (2020), "MiniLM", NeurIPS.
    """

    vocabulary: int = 30522
    length: int = 512
    width: int = 384
    layers: int = 6
    heads: int = 12

    @nn.compact
    def __call__(self, ids_BT: jax.Array) -> dict[str, jax.Array]:
        """Embeds sentences.

        Args:
            ids_BT: (n, up to `length`) int32, filled up with 0, which nothing depends on.

        Returns:
            "tokens", (n, tokens, width): the last states, divided by the norm of their mean, and 0
            where the sentence is filled up; "embedding", (n, width): their mean, of unit norm.
        """
        normal, mask = nn.initializers.normal(0.02), ids_BT != 0
        words = self.param("words", normal, (self.vocabulary, self.width))
        positions = self.param("positions", normal, (self.length, self.width))
        segment = self.param("segment", normal, (self.width,))  # of a sentence without a second
        x = _Norm(name="norm")(words[ids_BT] + positions[: ids_BT.shape[1]] + segment)
        for i in range(self.layers):
            x = BERTLayer(self.heads, name=f"layer{i}")(x, mask[:, None, None])
        x = x * mask[..., None]
        mean = x.sum(axis=1) / mask.sum(axis=1, keepdims=True)
        tokens = divided_by_norm(x, mean)
        return {
            "tokens": tokens,
            "embedding": mean / jnp.linalg.norm(mean, axis=-1, keepdims=True),
        }
