"""Images -> the layers that are decoded: activations of a network, and the pixels themselves."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax import features
from fmri_jax.arrays import block_size, in_blocks
from fmri_jax.errors import InputError
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.features.registry import NETWORKS
from fmri_jax.methods.feature_decoding.config import PIXELS, Config
from fmri_jax.networks import compiler

BLOCK = 32  # images in the network at a time

Layers = dict[str, jax.Array]


@flax.struct.dataclass
class Encoder:
    """A frozen network and which of its layers are matched."""

    params: Any
    network: str = flax.struct.field(pytree_node=False)
    layers: tuple[str, ...] = flax.struct.field(pytree_node=False)
    size: int | None = flax.struct.field(pytree_node=False)
    pixels: bool = flax.struct.field(pytree_node=False)

    @classmethod
    def of(cls, config: Config) -> "Encoder":
        """The encoder that the options name, with its published weights."""
        loaded = features.load(config.network, config.layers, weights=config.network_weights)
        pixels, layers = config.pixel_weight > 0, tuple(config.layers)
        return cls(loaded.params, config.network, layers, config.network_size, pixels)

    def __call__(self, images: jax.Array) -> Layers:
        """Images (n, h, w, 1 or 3) in [0, 1] -> layer -> (n, ...); pure, differentiable.

        Raises:
            InputError: the images are too small for a layer.
        """
        network = NETWORKS[self.network]
        prepared = Preprocessing(self.size, least=network.least)(images)
        found = network.activations(self.params, prepared)
        network.check(self.layers, among=found)
        layers = {layer: found[layer] for layer in self.layers}
        return {**layers, PIXELS: images} if self.pixels else layers

    def of_stimuli(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Layers of images (n, h, w, c) uint8, in blocks of one shape."""
        block = block_size(len(images), BLOCK)
        return in_blocks(lambda rows: _encode(self, rows), (images,), block)

    def check(self, image_shape: tuple[int, int, int]) -> None:
        """Rejects images that no layer can be had of; errors as `shapes`."""
        self.shapes(image_shape)

    def shapes(self, image_shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
        """The shape of each layer of an image of this shape; nothing is computed.

        Raises:
            InputError: the images are too small for a layer.
        """
        if image_shape[2] not in (1, 3):
            raise InputError(f"images have {image_shape[2]} channels: expected 1 (grey) or 3.")
        found = jax.eval_shape(self, jax.ShapeDtypeStruct((1, *image_shape), jnp.float32))
        return {layer: of.shape[1:] for layer, of in found.items()}


@compiler.jit
def _encode(encoder: Encoder, images: jax.Array) -> Layers:
    return encoder(images.astype(jnp.float32) / 255)
