"""Undoing the shrinking of decoded features: gains learned out of fold, and published variants.

Ridge shrinks what it predicts towards the training mean, the more the noisier a unit is decoded. An
image that matches shrunken features is flat and grey. Below, t is the decoded feature map of one
image and layer (height, width, channels), m its training mean, and

    s(t) = the mean over channels of the standard deviation over positions

(of dense layers, the standard deviation over units); s0 is the mean of s over the true features of
the training images. All factors come from training stimuli, and each test image is corrected on its
own: no statistic is taken over test images.

* "out_of_fold": t' = m + g_c (t - m), with the gain g_c = SD(true) / SD(decoded) of each channel
  over positions and training stimuli, each decoded by a map that was fitted without it.
* "spatial": t' = t s0 / s(t) (Shen et al. 2019, the released code; SD without Bessel's correction).
* "spatial_centred": t' = (t - u) s0 / s(t) + u, u the mean of t over all of its units (the
  brain-decoding-cookbook's `feature_std`, with Bessel's correction).
* "train_mean_centred": with d = t - m, d' = (d - u) s0 / s(d) + u and t' = m + d', u the mean of d
  (the cookbook's `feature_std_train_mean_center`).

References:
    Shen, Horikawa, Majima & Kamitani (2019), PLoS Comput. Biol. 15:e1006633, Methods.
"""

import math

import jax
import jax.numpy as jnp

from fmri_jax.methods.feature_decoding.config import Dispersion


def spread(features: jax.Array, how: Dispersion) -> jax.Array:
    """s(t) of each image as `how` has it: (n, height, width, channels) or (n, units) -> (n,).

    A map of one position does not vary: 0.
    """
    axes = tuple(range(1, max(2, features.ndim - 1)))
    positions = math.prod(features.shape[axis] for axis in axes)
    ddof = 0 if how == "spatial" or positions == 1 else 1
    found = jnp.std(features, axis=axes, ddof=ddof)
    return found if features.ndim == 2 else jnp.mean(found, axis=-1)


def corrected(
    decoded: jax.Array, mean: jax.Array, gain: jax.Array, expected: jax.Array, how: Dispersion
) -> jax.Array:
    """Decoded features with their dispersion restored; formulas at the top of this file.

    Args:
        decoded: (n, ..., channels).
        mean: (..., channels) the training mean.
        gain: (channels,) as `fmri_jax.linear.gains` returns it.
        expected: s0, as `spread` of the training images on average.
        how: the variant.

    Returns:
        The same shape. An image whose decoded features do not vary stays as it is.
    """
    if how == "none":
        return decoded
    if how == "out_of_fold":
        return mean + gain * (decoded - mean)
    base = mean if how == "train_mean_centred" else jnp.zeros_like(mean)
    deviation = decoded - base
    found = spread(deviation, how)
    factor = jnp.where(found > 0, expected / jnp.where(found > 0, found, 1), 1)
    factor = factor.reshape(-1, *[1] * (decoded.ndim - 1))
    if how == "spatial":
        return decoded * factor
    centre = jnp.mean(deviation, axis=tuple(range(1, decoded.ndim)), keepdims=True)
    return base + (deviation - centre) * factor + centre
