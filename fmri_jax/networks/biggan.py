"""BigGAN: a generator of images of an instance's features and noise, and its discriminator."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fmri_jax.networks.biggan_config import FIRST, BigGANConfig
from fmri_jax.networks.biggan_layers import (
    NORMAL,
    Attention,
    ConditionalNorm,
    Resampled,
    ScaledNorm,
    conv3,
)
from fmri_jax.networks.modules import Dense
from fmri_jax.networks.resampling import doubled

_EMBEDDING = nn.initializers.normal(1.0)


class GeneratorBlock(nn.Module):
    """Norm, ReLU, doubling and 3 x 3 convolution; norm, ReLU, convolution; beside a shortcut.

    Attributes:
        features: channels out.
        dtype: of the arithmetic; parameters are float32.
    """

    features: int
    dtype: Any = None

    @nn.compact
    def __call__(
        self, x_BHWC: jax.Array, condition_BF: jax.Array, train: bool = False
    ) -> jax.Array:
        """(n, h, w, in), condition (n, any) -> (n, 2 h, 2 w, features)."""
        y = nn.relu(ConditionalNorm(dtype=self.dtype, name="norm1")(x_BHWC, condition_BF, train))
        y = Resampled(self.features, double=True, dtype=self.dtype, name="conv1")(y)
        y = nn.relu(ConditionalNorm(dtype=self.dtype, name="norm2")(y, condition_BF, train))
        y = conv3(self.features, self.dtype, "conv2")(y)
        # A 1 x 1 convolution before the doubling, of equal numbers, costs a quarter.
        shortcut = Dense(self.features, dtype=self.dtype, kernel_init=NORMAL, name="shortcut")
        return y + doubled(shortcut(x_BHWC))


class BigGANGenerator(nn.Module):
    """Images of noise under conditions.

    The first part of the noise makes an image of 4 x 4 pixels; each block doubles it, under the
    condition of the embedded class, the embedded features, and its own part of the noise.

    Attributes:
        config: sizes.
        dtype: of the arithmetic; parameters are float32.

    References:
        Brock et al. (2019), "Large scale GAN training for high fidelity natural image synthesis",
        ICLR. Casanova et al. (2021), "Instance-conditioned GAN", NeurIPS.
    """

    config: BigGANConfig
    dtype: Any = None

    @nn.compact
    def __call__(
        self,
        noise: jax.Array,
        features: jax.Array | None = None,
        classes: jax.Array | None = None,
        first: jax.Array | None = None,
        train: bool = False,
    ) -> jax.Array:
        """Paints.

        Args:
            noise: (n, at least `noise_used`).
            features: (n, features) of the instance, of unit length; None where there are none.
            classes: (n,) integers; None where there are none.
            first: (n, `first_units`) what stands in for the first dense layer's activations,
                channels before rows and columns; None: that of the noise.
            train: whether batches are normalised by their own statistics.

        Returns:
            (n, size, size, 3) in [-1, 1].
        """
        config = self.config
        shared = self._shared(features, classes)
        parts = jnp.split(noise[:, : config.noise_used], config.slots, axis=1)
        own = self._dense(config.first_units, "first")(parts[0])
        x = own if first is None else jnp.asarray(first, own.dtype)
        x = x.reshape(len(x), -1, FIRST, FIRST).transpose(0, 2, 3, 1)
        for i, (_, out) in enumerate(config.channels):
            condition = jnp.concatenate([*shared, parts[i + 1]], axis=1)
            x = GeneratorBlock(out, self.dtype, name=f"block{i}")(x, condition, train)
            if x.shape[1] in config.attention:
                x = Attention(self.dtype, name=f"attention{i}")(x)
        x = nn.relu(ScaledNorm(dtype=self.dtype, name="norm")(x, train))
        return jnp.tanh(conv3(3, self.dtype, "pixels")(x).astype(jnp.float32))

    def _shared(self, features: jax.Array | None, classes: jax.Array | None) -> list[jax.Array]:
        config, found = self.config, []
        if config.classes:
            assert classes is not None
            shape = (config.classes, config.class_units)
            found.append(self.param("classes", _EMBEDDING, shape)[classes])
        if config.features:
            assert features is not None
            found.append(self._dense(config.feature_units, "features")(features))
        return found

    def _dense(self, units: int, name: str) -> Dense:
        return Dense(units, dtype=self.dtype, kernel_init=NORMAL, name=name)


class DiscriminatorBlock(nn.Module):
    """Two 3 x 3 convolutions with a ReLU before each but the image's, beside a shortcut.

    Attributes:
        features: channels out.
        halve: whether 2 x 2 pixels are averaged.
        first: whether it takes the image itself.
        dtype: of the arithmetic; parameters are float32.
    """

    features: int
    halve: bool
    first: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x_BHWC: jax.Array) -> jax.Array:
        """(n, h, w, in) -> (n, h', w', features)."""
        y = x_BHWC if self.first else nn.relu(x_BHWC)
        y = nn.relu(conv3(self.features, self.dtype, "conv1")(y))
        if self.halve:
            y = Resampled(self.features, double=False, dtype=self.dtype, name="conv2")(y)
            # The mean of a 1 x 1 convolution is that convolution of the mean.
            x_BHWC = nn.avg_pool(x_BHWC, (2, 2), (2, 2))
        else:
            y = conv3(self.features, self.dtype, "conv2")(y)
        if self.halve or x_BHWC.shape[-1] != self.features:
            shortcut = Dense(self.features, dtype=self.dtype, kernel_init=NORMAL, name="shortcut")
            x_BHWC = shortcut(x_BHWC)
        return y + x_BHWC


class BigGANDiscriminator(nn.Module):
    """Is this a photograph of the instance's neighbourhood? Projection of Miyato & Koyama (2018).

    Attributes:
        config: sizes.
        dtype: of the arithmetic; parameters are float32.
    """

    config: BigGANConfig
    dtype: Any = None

    @nn.compact
    def __call__(
        self,
        images: jax.Array,
        features: jax.Array | None = None,
        classes: jax.Array | None = None,
    ) -> jax.Array:
        """Images (n, size, size, 3) in [-1, 1] under conditions -> logits (n,), high if real."""
        config, x = self.config, images
        for i, (out, halve) in enumerate(config.discriminator_blocks):
            x = DiscriminatorBlock(out, halve, i == 0, self.dtype, name=f"block{i}")(x)
            if x.shape[1] in config.attention:
                x = Attention(self.dtype, name=f"attention{i}")(x)
        x_BF = nn.relu(x).astype(jnp.float32).sum(axis=(1, 2))
        logits = Dense(1, kernel_init=NORMAL, name="logit")(x_BF)[:, 0]
        both = bool(config.classes and config.features)
        units = x_BF.shape[1] // (2 if both else 1)
        conditions = []
        if config.classes:
            assert classes is not None
            shape = (config.classes, units)
            conditions.append(self.param("embedding", _EMBEDDING, shape)[classes])
        if config.features:
            assert features is not None
            conditions.append(Dense(units, kernel_init=NORMAL, name="features")(features))
        if conditions:
            logits = logits + (jnp.concatenate(conditions, axis=1) * x_BF).sum(axis=1)
        return logits
