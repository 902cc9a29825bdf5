"""What the transformers of images and of texts share: attention, and the scale of their tokens."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks.modules import Dense


class Attention(nn.Module):
    """Attention of all tokens to each other, or to a context's.

    Attributes:
        heads: parts of the width that attend by themselves.
        biases: whether queries, keys and values have them; `out` always has.
        dtype: of the arithmetic; parameters are float32, and so is the softmax.
    """

    heads: int
    biases: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(
        self,
        x_BTF: jax.Array,
        mask: jax.Array | None = None,
        context_BSE: jax.Array | None = None,
    ) -> jax.Array:
        """(n, tokens, width) -> (n, tokens, width).

        Args:
            x_BTF: the tokens.
            mask: bool, broadcast to (n, heads, tokens that attend, tokens attended to); None lets
                every token attend to all.
            context_BSE: (n, tokens attended to, any width); None attends to the tokens themselves.
        """
        n, _, width = x_BTF.shape
        context = x_BTF if context_BSE is None else context_BSE
        query, key, value = (
            Dense(width, use_bias=self.biases, dtype=self.dtype, name=name)(tokens).reshape(
                n, tokens.shape[1], self.heads, -1
            )
            for name, tokens in (("query", x_BTF), ("key", context), ("value", context))
        )
        attended = jax.nn.dot_product_attention(query, key, value, mask=mask)
        return Dense(width, dtype=self.dtype, name="out")(attended.reshape(x_BTF.shape))


def divided_by_norm(x_BTF: jax.Array, embedding_BF: jax.Array) -> jax.Array:
    """Tokens divided by the norm of their text's, or image's, embedding."""
    return x_BTF / jnp.linalg.norm(embedding_BF, axis=-1)[:, None, None]
