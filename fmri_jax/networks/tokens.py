"""What the transformers of images and of texts share: attention, and the scale of their tokens."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Attention(nn.Module):
    """Self-attention of all tokens.

    Attributes:
        heads: parts of the width that attend by themselves.
    """

    heads: int

    @nn.compact
    def __call__(self, x_BTF: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        """(n, tokens, width) -> (n, tokens, width).

        Args:
            x_BTF: the tokens.
            mask: bool, broadcast to (n, heads, tokens that attend, tokens attended to); None lets
                every token attend to all.
        """
        n, tokens, width = x_BTF.shape
        query, key, value = (
            nn.Dense(width, name=name)(x_BTF).reshape(n, tokens, self.heads, -1)
            for name in ("query", "key", "value")
        )
        attended = nn.dot_product_attention(query, key, value, mask=mask)
        return nn.Dense(width, name="out")(attended.reshape(n, tokens, width))


def divided_by_norm(x_BTF: jax.Array, embedding_BF: jax.Array) -> jax.Array:
    """Tokens divided by the norm of their text's, or image's, embedding."""
    return x_BTF / jnp.linalg.norm(embedding_BF, axis=-1)[:, None, None]
