"""Features of images, ready to use: a network of the registry with its published weights."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from fmri_jax import pretrained
from fmri_jax.arrays import as_images, block_size, in_blocks
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.features.registry import FeatureNetwork, find_network
from fmri_jax.networks import compiler

BLOCK = 32  # images in a network at a time: bounds memory, and compiles one program


@dataclasses.dataclass(frozen=True)
class Features:
    """Images -> named features.

    Attributes:
        network: an entry of the registry.
        params: its weights.
        layers: the activations that are returned; None returns all that the image size allows.
        preprocessing: from images to those that the network takes.
    """

    network: FeatureNetwork
    params: Any = dataclasses.field(repr=False)
    layers: tuple[str, ...] | None
    preprocessing: Preprocessing

    def __call__(self, images: Any) -> dict[str, np.ndarray]:
        """Computes features, in blocks of images.

        Args:
            images: (n, height, width, 1 or 3), in [0, 1] or uint8; one channel counts as grey.

        Returns:
            Layer -> (n, h, w, channels), (n, tokens, width) or (n, features), float32.

        Raises:
            InputError: no images, of another kind, or too small for a layer.
        """
        rows = as_images(images, "images").astype(np.float32, copy=False)

        def of_block(block: np.ndarray) -> dict[str, jax.Array]:
            return _compute(self.network, self.layers, self.preprocessing, self.params, block)

        found = in_blocks(of_block, (rows,), block_size(len(rows), BLOCK))
        order = self.layers or self.network.layers  # `jit` sorts names
        return {layer: found[layer] for layer in order if layer in found}


@functools.partial(compiler.jit, static_argnums=(0, 1, 2))
def _compute(
    network: FeatureNetwork,
    layers: tuple[str, ...] | None,
    preprocessing: Preprocessing,
    params: Any,
    images: jax.Array,
) -> dict[str, jax.Array]:
    found = network.activations(params, preprocessing(images))
    if layers is None:
        return found
    network.check(layers, among=found)
    return {layer: found[layer] for layer in layers}


def load(
    name: str,
    layers: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    weights: str | pathlib.Path | None = None,
) -> Features:
    """A feature network with its published weights.

    Args:
        name: of `NETWORKS`: "alexnet", "caffenet", "bvlc_alexnet", "vgg16", "vgg19",
            "inception_v3", "clip_vit_l14", "efficientnet_b1", "efficientnet_lite0" or
            "swav_resnet50".
        layers: the activations to return; by default all that its usual weights have. Naming fc6,
            fc7, fc8, relu6 or relu7 loads weights with the fully connected layers.
        preprocessing: instead of the network's own, such as `Preprocessing()`, which keeps sizes.
        weights: a file of weights, as for `fmri_jax.pretrained.load`; those found or downloaded
            by default.

    Raises:
        InputError: the network or a layer is unknown, or its weights cannot be had: the message
            names where to get them and where to put them.
    """
    network = find_network(name)
    chosen = None if layers is None else tuple(layers)
    network.check(chosen or ())
    dense = not {*network.dense}.isdisjoint(chosen or ())
    params = pretrained.load(network.dense_weights if dense else name, weights)
    if chosen and not dense:  # VGG19's weights have all: the largest arrays are not held in vain
        params = {layer: arrays for layer, arrays in params.items() if layer not in network.dense}
    return Features(network, params, chosen, preprocessing or network.preprocessing)
