"""Pairwise identification through networks that reconstructions are usually not optimised for.

A method that was trained, or renders, through AlexNet is favoured by AlexNet(2), AlexNet(5) and
LPIPS. Networks of another family, which saw the images another way, are the control: EfficientNet-
Lite0 and VGG16. Images are resized as for `evaluation.perceptual`, but to at least `LEAST` px,
since these networks were trained on larger images and on 64 px tell little of what is shown.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from fmri_jax.arrays import in_blocks
from fmri_jax.evaluation.identification import Ranks, block_ranks, pairwise
from fmri_jax.evaluation.images import as_pair, image_ids
from fmri_jax.evaluation.metrics import unit_rows
from fmri_jax.evaluation.seen_features import SeenFeatures
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.features.registry import NETWORKS
from fmri_jax.networks import compiler

# Network -> metric -> the activation on which its pairwise identification is done.
LAYERS = {
    "efficientnet_lite0": {"efficientnet_block3": "block3_1", "efficientnet_pooled": "pooled"},
    "vgg16": {"vgg16_3": "relu3_3", "vgg16_5": "relu5_3"},
}
LEAST = {"efficientnet_lite0": 128, "vgg16": 64}  # px of the shorter side
BLOCK = 16  # images in a network at a time, whatever their number: one program for all sets


def identification(
    network: str,
    params: Mapping[str, Any],
    targets: Any,
    reconstructions: Any,
    size: int | None = None,
    block: int = BLOCK,
    seen: SeenFeatures | None = None,
) -> dict[str, np.ndarray]:
    """Pairwise identification by the correlation of a network's activations.

    Args:
        network: a name in `LAYERS`.
        params: its parameters.
        targets: (n, height, width, 1 or 3) in [0, 1].
        reconstructions: the same shape.
        size: shorter side in pixels; None keeps the size, but at least `LEAST`.
        block: images in the network at a time.
        seen: features of targets, with these parameters, where they are scored repeatedly.

    Returns:
        Metric -> (n,), among the distinct targets; a tie counts half. Nothing where all targets
        are one image.

    Raises:
        InputError: shapes do not match, or the images have neither one channel nor three.
    """
    targets, reconstructions = as_pair(targets, reconstructions)
    (own_ids,) = image_ids(targets)
    candidate_ids, first = np.unique(own_ids, return_index=True)
    if len(first) < 2:
        return {}
    which = network, size

    def features_of(images: np.ndarray) -> dict[str, jax.Array]:
        # Also where JAX has float64, in which convolutions on CPU are slow.
        return _features(params, images.astype(np.float32), network=network, size=size)

    def true_features(images: np.ndarray) -> dict[str, jax.Array]:
        found = features_of(images) if seen is None else seen.of(which, features_of, images)
        return {name: unit_rows(rows) for name, rows in found.items()}

    candidates = in_blocks(true_features, (targets[first],), block)

    def compare(made: np.ndarray, ids: np.ndarray) -> dict[str, Ranks]:
        own = np.searchsorted(candidate_ids, ids)
        return {
            name: block_ranks(known[own], found, ids, known, candidate_ids)
            for (name, found), known in zip(
                features_of(made).items(), candidates.values(), strict=True
            )
        }

    ranked = in_blocks(compare, (reconstructions, own_ids), block)
    return {name: pairwise(ranks) for name, ranks in ranked.items()}


@functools.partial(compiler.jit, static_argnames=("network", "size"))
def _features(
    params: Mapping[str, Any], images: jax.Array, network: str, size: int | None
) -> dict[str, jax.Array]:
    """Metric -> (n, features) of one block."""
    prepared = Preprocessing(size or None, keep_aspect=True, least=LEAST[network])(images)
    found = NETWORKS[network].activations(params, prepared)
    return {name: found[layer].reshape(len(images), -1) for name, layer in LAYERS[network].items()}
