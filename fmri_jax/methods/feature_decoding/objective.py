"""What a rendered image has to match: decoded layers, smoothness.

    loss(x) = sum_l w_l sum (phi_l(x) - t_l)^2 + v TV(x) + u (1 - corr(predicted(x), measured))

phi_l(x) are the layers of the image, t_l the decoded ones, w_l their weights (in Shen et al. 2019,
PLoS Comput. Biol. 15:e1006633, 1 / |t_l|^2), TV the mean absolute difference of neighbouring
pixels; the last term is that of `responses`, and left out by default.
"""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from fmri_jax.methods.feature_decoding.config import PIXELS
from fmri_jax.methods.feature_decoding.encoder import Encoder, Layers
from fmri_jax.methods.responses import Responses

OF_EACH = ("targets", "weights", "measured")  # what an objective holds of each image, n in all


@flax.struct.dataclass
class Objective:
    """The loss of images against decoded layers, image by image."""

    encoder: Encoder
    targets: Layers
    weights: Layers  # layer -> (n, ...), broadcast over the units
    total_variation: float = flax.struct.field(pytree_node=False)
    measured: jax.Array | None = None  # (n, voxels)
    responses: Responses | None = None  # by which images are compared with `measured`
    response_weight: float = flax.struct.field(pytree_node=False, default=0.0)

    def __call__(self, images: jax.Array, shifted: jax.Array | None = None) -> jax.Array:
        """Images (n, h, w, c) -> losses (n,).

        Args:
            images: in [0, 1].
            shifted: the same images displaced by a jitter, whose features are matched instead.
        """
        seen = images if shifted is None else shifted
        layers = {**self.encoder(seen)}
        if PIXELS in layers:
            layers[PIXELS] = images
        loss = self.total_variation * total_variation(images)
        for layer, target in self.targets.items():
            error = self.weights[layer] * jnp.square(layers[layer] - target)
            loss += jnp.sum(error.reshape(len(error), -1), axis=1)
        if self.responses is not None and self.measured is not None:
            loss += self.response_weight * self.responses.misfit(layers, self.measured)
        return loss


def total_variation(images: jax.Array) -> jax.Array:
    """Mean absolute difference of neighbouring pixels: (n, h, w, c) -> (n,)."""
    down, right = (jnp.abs(jnp.diff(images, axis=axis)) for axis in (1, 2))
    n = len(images)
    pixels = images.shape[1] * images.shape[2] * images.shape[3]
    return (jnp.sum(down.reshape(n, -1), axis=1) + jnp.sum(right.reshape(n, -1), axis=1)) / pixels


def layer_weights(targets: Layers, factors: Mapping[str, float]) -> Layers:
    """factor_l / |t_l|^2 of each image: every layer counts by its relative error.

    Shen et al. divide these by their sum over the layers, which changes nothing but the scale of
    the loss; the optimisers take no notice of it.

    Args:
        targets: layer -> (n, ...) after their dispersion was restored.
        factors: of layers that weigh more or less than the others; 1 where none is given.

    Returns:
        Layer -> (n, 1, ...). A layer whose target is zero everywhere gets weight 0.
    """
    found = {}
    for layer, target in targets.items():
        energy = jnp.sum(jnp.square(target), axis=tuple(range(1, target.ndim)), keepdims=True)
        inverse = jnp.where(energy > 0, 1 / jnp.where(energy > 0, energy, 1), 0)
        found[layer] = factors.get(layer, 1.0) * inverse
    return found


def shift(images: Any, by: jax.Array) -> jax.Array:
    """Images (n, h, w, c) displaced by (rows, columns) px, round the edge."""
    return jnp.roll(images, by, axis=(1, 2))
