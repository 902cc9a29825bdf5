"""Perceptual metrics: AlexNet(2), AlexNet(5) and LPIPS, with weights given as arguments.

Images go to the network as RGB; one channel is replicated to three. Images whose shorter side is
below 64 pixels are enlarged to 64 (bilinear, half-pixel centres), because AlexNet's fifth
convolution sees nothing in smaller ones; larger images keep their size unless `size` says
otherwise. Papers on the Natural Scenes Dataset use 256: scores at different sizes do not compare.
"""

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import in_blocks
from fmri_jax.evaluation.identification import Ranks, block_ranks, pairwise
from fmri_jax.evaluation.images import as_pair, image_ids
from fmri_jax.evaluation.metrics import unit_rows
from fmri_jax.evaluation.seen_features import SeenFeatures
from fmri_jax.features.preprocessing import Preprocessing
from fmri_jax.features.registry import NETWORKS
from fmri_jax.networks import compiler

SMALLEST = 64  # pixels of the shorter side
LPIPS_LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5")
# Metric -> the activation on which its pairwise identification is done.
IDENTIFICATION_LAYERS = {"alexnet2": "relu2", "alexnet5": "relu5"}


class PerceptualWeights(NamedTuple):
    """What `fmri_jax.pretrained.load` returns for 'alexnet', 'lpips_alexnet' and other networks."""

    alexnet: Mapping[str, Any]  # parameters of fmri_jax.networks.AlexNet
    lpips_heads: Sequence[Any]  # LPIPS v0.1 heads: channels of relu1..relu5, one weight each
    others: Mapping[str, Any] = MappingProxyType({})  # those of `network_identification` at hand
    seen: SeenFeatures | None = None  # features of targets, where these are scored repeatedly


def prepare(images: jax.Array, size: int | None = None) -> jax.Array:
    """Returns RGB images large enough for AlexNet.

    Args:
        images: (n, height, width, 1 or 3) in [0, 1].
        size: shorter side in pixels; None keeps the size, but at least 64.

    Returns:
        (n, height', width', 3), aspect kept.

    Raises:
        InputError: the images have neither one channel nor three.
    """
    return Preprocessing(size or None, keep_aspect=True, least=SMALLEST)(images)


def lpips_distance(
    first: Mapping[str, jax.Array], second: Mapping[str, jax.Array], heads: Sequence[Any]
) -> jax.Array:
    """LPIPS v0.1 from the activations of two stacks of images.

    Activations are scaled to unit length over channels at each position; the squared difference
    is weighted by the head of its layer, averaged over positions and summed over layers:

        d = sum_l mean_hw sum_c w_lc (u_lhwc - v_lhwc)^2

    Args:
        first: 'relu1'..'relu5' -> (n, h, w, c), AlexNet activations. LPIPS's own input scaling,
            (2x - 1 - shift) / scale with shift (-.030, -.088, -.188) and scale (.458, .448, .450),
            is the ImageNet normalisation that AlexNet applies to RGB in [0, 1].
        second: the same for the other images.
        heads: five arrays of c weights.

    Returns:
        (n,) distances, 0 for equal images.

    References:
        Zhang, Isola, Efros, Shechtman & Wang (2018), CVPR, equation 1.
    """
    total = jnp.zeros(first[LPIPS_LAYERS[0]].shape[0])
    for layer, head in zip(LPIPS_LAYERS, heads, strict=True):
        difference = _unit_channels(first[layer]) - _unit_channels(second[layer])
        weights = jnp.ravel(jnp.asarray(head))
        total += jnp.mean(jnp.sum(difference**2 * weights, axis=-1), axis=(1, 2))
    return total


def perceptual_values(
    targets: Any,
    reconstructions: Any,
    weights: PerceptualWeights,
    size: int | None = None,
    block: int = 32,
) -> dict[str, np.ndarray]:
    """AlexNet(2), AlexNet(5) and LPIPS in one pass through the network.

    AlexNet(2) and AlexNet(5) are pairwise identification by the correlation of activations after
    the ReLU of the second and fifth convolution, among the distinct targets.

    Args:
        targets: (n, height, width, 1 or 3) in [0, 1].
        reconstructions: the same shape.
        weights: AlexNet's parameters and the five heads.
        size: shorter side in pixels; None keeps the size, but at least 64.
        block: images in the network at a time.

    Returns:
        'alexnet2', 'alexnet5', 'lpips' -> (n,); 'lpips' only, where all targets are one image and
        there is nothing to identify.

    Raises:
        InputError: shapes do not match, or the images have neither one channel nor three.

    References:
        Ozcelik & VanRullen (2023), Sci. Rep. 13:15666; Scotti et al. (2023), NeurIPS.
    """
    targets, reconstructions = as_pair(targets, reconstructions)
    (own_ids,) = image_ids(targets)
    candidate_ids, first = np.unique(own_ids, return_index=True)

    def activations(images: np.ndarray) -> dict[str, jax.Array]:
        # Also where JAX has float64, in which convolutions on CPU are slow.
        return _activations(weights.alexnet, images.astype(np.float32), size)

    def compare(own: np.ndarray, decoded: np.ndarray, ids: np.ndarray) -> Any:
        heads = weights.lpips_heads
        return _compare(of_targets(own), activations(decoded), heads, ids, *known)

    def of_targets(images: np.ndarray) -> dict[str, jax.Array]:
        if weights.seen is None:
            return activations(images)
        return weights.seen.of(("alexnet", size), activations, images)

    candidates = in_blocks(lambda images: _unit(of_targets(images)), (targets[first],), block)
    known = candidates, candidate_ids
    distances, ranked = in_blocks(compare, (targets, reconstructions, own_ids), block)
    values = {"lpips": distances}
    if len(first) > 1:
        values |= {name: pairwise(ranked[name]) for name in IDENTIFICATION_LAYERS}
    return values


def _unit_channels(x_NHWC: jax.Array) -> jax.Array:
    """Scales the channels at each position to unit length, as LPIPS does (epsilon 1e-10)."""
    return x_NHWC / (jnp.sqrt(jnp.sum(x_NHWC**2, axis=-1, keepdims=True)) + 1e-10)


@functools.partial(compiler.jit, static_argnames="size")
def _activations(
    params: Mapping[str, Any], images: jax.Array, size: int | None
) -> dict[str, jax.Array]:
    """Of one block: a program by itself, as AlexNet takes seconds to compile.

    All test sets share it, however many images they hold.
    """
    found = NETWORKS["alexnet"].activations(params, prepare(images, size))
    return {layer: found[layer] for layer in LPIPS_LAYERS}


def _flat(x_NHWC: jax.Array) -> jax.Array:
    return x_NHWC.reshape(x_NHWC.shape[0], -1)


@jax.jit
def _unit(activations: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Activations for identification, centred and of unit length, one flat row per image."""
    return {
        name: unit_rows(_flat(activations[layer])) for name, layer in IDENTIFICATION_LAYERS.items()
    }


@jax.jit
def _compare(
    target: Mapping[str, jax.Array],
    made: Mapping[str, jax.Array],
    heads: Sequence[Any],
    own_ids: jax.Array,
    candidates: dict[str, jax.Array],
    candidate_ids: jax.Array,
) -> tuple[jax.Array, dict[str, Ranks]]:
    """LPIPS and the ranks of one block of reconstructions."""
    ranked = {
        name: block_ranks(
            _flat(target[layer]), _flat(made[layer]), own_ids, candidates[name], candidate_ids
        )
        for name, layer in IDENTIFICATION_LAYERS.items()
    }
    return lpips_distance(target, made, heads), ranked
