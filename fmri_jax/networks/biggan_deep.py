"""BigGAN-deep (Brock et al. 2019), the generator that Hugging Face published for PyTorch."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.errors import InputError
from fmri_jax.networks.biggan_config import FIRST
from fmri_jax.networks.biggan_layers import Attention, ConditionalNorm, ScaledNorm, conv3
from fmri_jax.networks.modules import Dense
from fmri_jax.networks.resampling import doubled

_REDUCTION = 4  # of channels within a block
_EPSILON = 1e-4  # of every normalisation

Block = tuple[bool, int, int]  # doubles the image?, widths in, widths out


@dataclasses.dataclass(frozen=True)
class BigGANDeepConfig:
    """Sizes of a BigGAN-deep.

    Attributes:
        image_size: px.
        blocks: in the order in which they run.
        attention: how many of them run before the attention.
        width: channels are multiples of it.
        noise: length of the noise, and of a class's embedding.
        classes: how many there are.
        statistics: of the normalisations, for as many truncations from 0 to 1.
    """

    image_size: int
    blocks: tuple[Block, ...]
    attention: int = 8
    width: int = 128
    noise: int = 128
    classes: int = 1000
    statistics: int = 51


class DeepBlock(nn.Module):
    """Four convolutions through a bottleneck, each after a norm and a ReLU, beside a shortcut.

    Attributes:
        features: channels out; fewer than in: the shortcut keeps the first ones.
        double: whether the image is doubled.
        dtype: of the arithmetic; parameters are float32.
    """

    features: int
    double: bool
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array, condition_BF: jax.Array) -> jax.Array:
        """(n, h, w, in), condition (n, any) -> (n, h', w', features)."""
        middle = x_BHWC.shape[-1] // _REDUCTION
        y = x_BHWC
        for i, channels in enumerate((middle, middle, middle, self.features)):
            norm = ConditionalNorm(_EPSILON, self.dtype, name=f"norm{i}")
            y = nn.relu(norm(y, condition_BF))
            if i in (0, 3):
                y = Dense(channels, dtype=self.dtype, name=f"conv{i}")(y)
            else:
                y = doubled(y) if i == 1 and self.double else y
                y = conv3(channels, self.dtype, f"conv{i}")(y)
        x = x_BHWC[..., : self.features]
        return y + (doubled(x) if self.double else x)


class BigGANDeepGenerator(nn.Module):
    """Images of noise and classes; every block's condition is both of them whole.

    Attributes:
        config: sizes.
        dtype: of the arithmetic; parameters are float32.
    """

    config: BigGANDeepConfig
    dtype: Any = None

    @nn.compact
    def __call__(self, noise: jax.Array, classes: jax.Array) -> jax.Array:
        """Noise (n, noise), classes (n, classes) that add up to 1 -> images in [-1, 1].

        Weights of several classes mix their embeddings.
        """
        config, width = self.config, self.config.width
        embedded = Dense(config.noise, False, self.dtype, name="classes")(classes)
        condition = jnp.concatenate([noise, embedded], axis=1)
        first = config.blocks[0][1] * width
        x = Dense(FIRST * FIRST * first, dtype=self.dtype, name="first")(condition)
        x = x.reshape(len(x), FIRST, FIRST, first)
        for i, (double, _, out) in enumerate(config.blocks):
            if i == config.attention:
                x = Attention(self.dtype, name="attention")(x)
            x = DeepBlock(out * width, double, self.dtype, name=f"block{i}")(x, condition)
        x = nn.relu(ScaledNorm(_EPSILON, self.dtype, name="norm")(x))
        return jnp.tanh(conv3(3, self.dtype, "pixels")(x).astype(jnp.float32))


def at_truncation(variables: Any, truncation: float) -> dict[str, Any]:
    """The network's variables with the statistics of one truncation.

    Args:
        variables: as published, with statistics (truncations, channels).
        truncation: of the noise, above 0, at most 1. Between two kept truncations the published
            code weighs each by its own distance, the nearer one less; so does this.

    Raises:
        InputError: the truncation is out of range.
    """
    if not 0 < truncation <= 1:
        raise InputError(f"truncation is {truncation}: expected above 0 and at most 1.")

    def chosen(table: jax.Array) -> jax.Array:
        place = truncation * (len(table) - 1)
        below = int(place + 1e-9)
        share = place - below
        if share <= 1e-9:
            return table[below]
        return share * table[below] + (1 - share) * table[below + 1]

    return {**variables, "batch_stats": jax.tree.map(chosen, variables["batch_stats"])}


def _blocks(*widths: int) -> tuple[Block, ...]:
    """Pairs of blocks that keep and double, but for the widths of what they give."""
    found: list[Block] = []
    given = widths[0]
    for out in widths:
        found += [(False, given, given), (True, given, out)]
        given = out
    return tuple(found)


BIGGAN_DEEP = {
    128: BigGANDeepConfig(128, _blocks(16, 8, 4, 2, 1)),
    256: BigGANDeepConfig(256, _blocks(16, 8, 8, 4, 2, 1)),
    512: BigGANDeepConfig(512, _blocks(16, 8, 8, 4, 2, 1, 1)),
}
