"""Pixels as mixtures of discretised logistic distributions (Salimans et al. 2017).

The three colours of a pixel share their mixture: green's means depend linearly on red, and blue's
on both. Parameters (..., 10 mixtures) are the mixtures' logits, then for each colour the means,
log-scales and coefficients of the mixtures. Pixels are in [-1, 1], in steps of 2 / 255.

References:
    Salimans, Karpathy, Chen & Kingma (2017), "PixelCNN++", ICLR, section 2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

LEAST_LOG_SCALE = -7.0
_STEP = 1 / 255  # half of the distance between two levels
_UNLIKELY = 1e-5  # below, the probability of a level is its density times its width


class Mixtures(NamedTuple):
    """Parameters by name; M mixtures, colours red, green, blue."""

    logits: jax.Array  # (..., M)
    means: jax.Array  # (..., 3, M), without what earlier colours add
    log_scales: jax.Array  # (..., 3, M)
    coefficients: jax.Array  # (..., 3, M): red to green, red to blue, green to blue


def unpack(parameters: jax.Array) -> Mixtures:
    """Channels out of a VDVAE (..., 10 M) as parameters by name."""
    m = parameters.shape[-1] // 10
    logits, rest = parameters[..., :m], parameters[..., m:]
    rest = rest.reshape(*rest.shape[:-1], 3, 3 * m)
    means, log_scales, coefficients = jnp.split(rest, 3, axis=-1)
    return Mixtures(logits, means, jnp.maximum(log_scales, LEAST_LOG_SCALE), jnp.tanh(coefficients))


def _with_earlier_colours(mixtures: Mixtures, red: jax.Array, green: jax.Array) -> jax.Array:
    """Means (..., 3, M) of each colour, given the earlier ones (..., M or 1)."""
    c, means = mixtures.coefficients, mixtures.means
    return jnp.stack(
        [
            means[..., 0, :],
            means[..., 1, :] + c[..., 0, :] * red,
            means[..., 2, :] + c[..., 1, :] * red + c[..., 2, :] * green,
        ],
        axis=-2,
    )


def log_likelihood(parameters: jax.Array, images: jax.Array) -> jax.Array:
    """Log-probability of pixels, summed over colours.

    Args:
        parameters: (..., 10 M).
        images: (..., 3), levels in [-1, 1].

    Returns:
        (...) nats.
    """
    mixtures = unpack(parameters)
    x = images[..., None]
    means = _with_earlier_colours(mixtures, x[..., 0, :], x[..., 1, :])
    inverse = jnp.exp(-mixtures.log_scales)
    centred = x - means
    above, below, middle = (inverse * (centred + d) for d in (_STEP, -_STEP, 0.0))
    inside = jax.nn.sigmoid(above) - jax.nn.sigmoid(below)
    density = middle - mixtures.log_scales - 2 * jax.nn.softplus(middle) + jnp.log(2 * _STEP)
    between = jnp.where(inside > _UNLIKELY, jnp.log(jnp.maximum(inside, 1e-12)), density)
    # The lowest level takes all that lies below it, the highest all above.
    level = jnp.where(
        x < -0.999,
        jax.nn.log_sigmoid(above),
        jnp.where(x > 0.999, -jax.nn.softplus(below), between),
    )
    return jax.nn.logsumexp(level.sum(axis=-2) + jax.nn.log_softmax(mixtures.logits), axis=-1)


def expected(parameters: jax.Array) -> jax.Array:
    """The mean of each pixel's distribution before it is clipped: (..., 10 M) -> (..., 3).

    With a mixture given, colours depend on each other linearly, so that means take the values'
    places.
    """
    mixtures = unpack(parameters)
    red = mixtures.means[..., 0, :]
    green = mixtures.means[..., 1, :] + mixtures.coefficients[..., 0, :] * red
    means = _with_earlier_colours(mixtures, red, green)
    return (means * jax.nn.softmax(mixtures.logits)[..., None, :]).sum(-1)


def sample(parameters: jax.Array, key: jax.Array) -> jax.Array:
    """One draw of each pixel, in [-1, 1].

    Args:
        parameters: (..., 10 M).
        key: of the draw.

    Returns:
        (..., 3).
    """
    mixtures = unpack(parameters)
    choice, values = jax.random.split(key)
    chosen = jax.random.categorical(choice, mixtures.logits)[..., None, None]

    def of_chosen(values: jax.Array) -> jax.Array:
        return jnp.take_along_axis(values, chosen, axis=-1)[..., 0]

    means, scales, c = (
        of_chosen(mixtures.means),
        jnp.exp(of_chosen(mixtures.log_scales)),
        of_chosen(mixtures.coefficients),
    )
    x = means + scales * jax.random.logistic(values, means.shape)
    red = jnp.clip(x[..., 0], -1, 1)
    green = jnp.clip(x[..., 1] + c[..., 0] * red, -1, 1)
    blue = jnp.clip(x[..., 2] + c[..., 1] * red + c[..., 2] * green, -1, 1)
    return jnp.stack([red, green, blue], axis=-1)
