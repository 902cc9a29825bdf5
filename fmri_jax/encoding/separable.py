"""A readout that is separable: where a voxel looks, times what it looks for.

    y_v(x) = b_v + sum over layers, places p, channels c of  space_vp  F(x)_pc  channels_vc

References:
    Klindt, Ecker, Euler & Bethge (2017), Advances in Neural Information Processing Systems 30 (mask
    and weights trained together); St-Yves & Naselaris (2018), NeuroImage 180:188 (the mask a
    Gaussian receptive field).
"""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

from fmri_jax.arrays import einsum

IMAGES = 64  # predicted at a time: what is pooled for each voxel is voxels times as large


@flax.struct.dataclass
class SeparableReadout:
    """Masks and weights of each voxel."""

    space: dict[str, jax.Array]  # layer -> (voxels, h * w)
    channels: dict[str, jax.Array]  # layer -> (voxels, channels)
    bias: jax.Array  # (voxels,)
    fields: jax.Array  # (voxels, 3) centre x and y and deviation, image sides; none: (0, 3)
    alphas: jax.Array  # (voxels,) ridge penalties; none: (0,)

    @jax.jit
    def predict(self, maps: dict[str, jax.Array]) -> jax.Array:
        """Maps of layers (m, h, w, c) -> responses (m, voxels)."""
        return jax.lax.map(
            lambda one: self.respond({layer: found[None] for layer, found in one.items()})[0],
            {layer: maps[layer] for layer in self.space},
            batch_size=IMAGES,
        )

    def respond(self, maps: dict[str, jax.Array]) -> jax.Array:
        """The same for few images at once."""
        found = self.bias
        for layer, space in self.space.items():
            flat = maps[layer].reshape(len(maps[layer]), -1, maps[layer].shape[-1])
            found += einsum("npc,vp,vc->nv", flat, space, self.channels[layer])
        return found

    def summary(self) -> dict[str, float]:
        """The median size of receptive fields, where they are of a form that has one."""
        if not len(self.fields):
            return {}
        return {
            "median receptive field, image sides": float(jnp.median(self.fields[:, 2])),
            "median penalty": float(jnp.median(self.alphas)),
        }


def restore(tree: dict[str, Any]) -> SeparableReadout:
    """The readout whose fields, as nested dicts, these are."""
    return SeparableReadout(**tree)
