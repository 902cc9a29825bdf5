"""The eight numbers by which papers on the Natural Scenes Dataset compare reconstructions.

Four of the low level: PixCorr, SSIM, AlexNet(2), AlexNet(5); four of the high level: Inception,
CLIP, EfficientNet-B, SwAV. Ozcelik & VanRullen (2023) chose them; they are computed here as in the
script that Scotti et al. (2023) published with MindEye, which later papers took over:

* Images are RGB at 256 x 256 px, whatever their aspect, and are resized from there; bilinear with
  half-pixel centres and without smoothing, as torchvision 0.15 resizes arrays.
* PixCorr is the correlation over all pixels and channels at 425 px. SSIM is that of luminance
  (.2125, .7154, .0721) at 425 px, with a Gaussian window of sigma 1.5 and data range 1.
* AlexNet(2), AlexNet(5) at 256 px (after the second and fifth convolution's ReLU), Inception-v3 at
  342 px (mean-pooled) and CLIP ViT-L/14 at 224 px (embedding) are two-way identification: how many
  of the other images correlate **strictly** less with the reconstruction than its own does.
* EfficientNet-B1 at 255 px and SwAV's ResNet-50 at 224 px (mean-pooled) are 1 - correlation with
  the own image: lower is better.

SSIM is given twice. The scripts pass `multichannel=True` to scikit-image for a grey image. Releases
of the time (Ozcelik & VanRullen pin 0.17.2) then take its columns for channels, and average the
similarity of single columns, `ssim_columns`; current releases ignore the word, `ssim`. Tables hold
both kinds.

Ozcelik & VanRullen give every network 224 px, where the sizes above are MindEye's, and use
EfficientNet's first weights: their high-level numbers compare less well with these.

References:
    Ozcelik & VanRullen (2023), Sci. Rep. 13:15666; Scotti et al. (2023), NeurIPS.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import as_rgb, einsum, in_blocks, resize
from fmri_jax.errors import InputError
from fmri_jax.evaluation.identification import Ranks, block_ranks
from fmri_jax.evaluation.images import as_pair, image_ids
from fmri_jax.evaluation.metrics import (
    gaussian_filter,
    pixel_correlation,
    similarity,
    ssim,
    unit_rows,
)
from fmri_jax.features.registry import NETWORKS, FeatureNetwork
from fmri_jax.networks import compiler

SIDE = 256  # px, of every image before anything else
PIXEL_SIDE = 425  # px, for PixCorr and SSIM
LUMINANCE = (0.2125, 0.7154, 0.0721)
BLOCK = 16  # images in a network at a time: bounds memory


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared in one feature network.

    Attributes:
        size: px, side of the images that it is given.
        numbers: name of a number -> the layer that it compares.
        kind: two-way identification, or 1 - correlation.
    """

    size: int
    numbers: Mapping[str, str]
    kind: Literal["identification", "distance"]


# By the network's name in `fmri_jax.features`.
COMPARISONS = {
    "alexnet": Comparison(256, {"alexnet2": "relu2", "alexnet5": "relu5"}, "identification"),
    "inception_v3": Comparison(342, {"inception": "pooled"}, "identification"),
    "clip_vit_l14": Comparison(224, {"clip": "embedding"}, "identification"),
    "efficientnet_b1": Comparison(255, {"efficientnet_b1": "pooled"}, "distance"),
    "swav_resnet50": Comparison(224, {"swav": "pooled"}, "distance"),
}
PIXEL_NUMBERS = ("pixcorr", "ssim", "ssim_columns")
NUMBERS = (*PIXEL_NUMBERS, *(number for one in COMPARISONS.values() for number in one.numbers))


def eight_numbers(
    targets: Any, reconstructions: Any, weights: Mapping[str, Any], block: int = BLOCK
) -> dict[str, np.ndarray]:
    """As many of the eight numbers as there are weights for, image by image.

    Rows of one image are trials of one stimulus and no distractors of each other. The correlation
    with a constant image is undefined; here it is 0.

    Args:
        targets: (n, height, width, 1 or 3) in [0, 1], or uint8.
        reconstructions: the same shape.
        weights: name in `COMPARISONS` -> parameters of that network; others are left out.
        block: images in a network at a time.

    Returns:
        Number -> (n,), in the order of `NUMBERS`; identification needs two different targets.

    Raises:
        InputError: shapes do not match, images are neither grey nor RGB, or a network is unknown.
    """
    targets, reconstructions = as_pair(targets, reconstructions)
    values = pixel_numbers(targets, reconstructions, block)
    if unknown := set(weights) - set(COMPARISONS):
        raise InputError(f"weights of {unknown}: expected some of {', '.join(COMPARISONS)}.")
    block = min(block, len(targets))
    for name, comparison in COMPARISONS.items():
        if name not in weights:
            continue
        features_of = functools.partial(
            _features, NETWORKS[name], comparison.size, tuple(comparison.numbers.values())
        )
        compare = _distances if comparison.kind == "distance" else _identification
        found = compare(
            functools.partial(features_of, weights[name]), targets, reconstructions, block
        )
        values |= dict(zip(comparison.numbers, found, strict=bool(found)))
    return values


def pixel_numbers(
    targets: np.ndarray, reconstructions: np.ndarray, block: int = BLOCK
) -> dict[str, np.ndarray]:
    """Those of `PIXEL_NUMBERS`, (n,) each, of images (n, height, width, 1 or 3) in [0, 1].

    Raises:
        InputError: images are neither grey nor RGB.
    """
    if targets.shape[-1] not in (1, 3):
        raise InputError(
            f"images have {targets.shape[-1]} channels: the eight numbers expect 1 (grey) or 3."
        )
    rows = (targets, reconstructions)
    found: dict[str, np.ndarray] = in_blocks(_pixel_numbers, rows, min(block, len(targets)))
    return found


def resized(images: jax.Array, size: int) -> jax.Array:
    """Images as RGB (n, size, size, 3), by way of 256 x 256 px."""
    images = as_rgb(images)
    for side in (SIDE, size):
        images = resize(images, side, side, antialias=False)
    return images


@jax.jit
def _pixel_numbers(targets: jax.Array, reconstructions: jax.Array) -> dict[str, jax.Array]:
    target, made = resized(targets, PIXEL_SIDE), resized(reconstructions, PIXEL_SIDE)
    weights = jnp.asarray(LUMINANCE)
    target_grey, made_grey = (
        jnp.sum(images * weights, axis=-1, keepdims=True) for images in (target, made)
    )
    return {
        "pixcorr": pixel_correlation(target, made),
        "ssim": ssim(target_grey, made_grey),
        "ssim_columns": similarity(target_grey, made_grey, _mean_in_columns),
    }


def _mean_in_columns(images: jax.Array) -> jax.Array:
    """Local means (n, h - 10, w, 1) along the columns of grey images (n, h, w, 1)."""
    rows = gaussian_filter(images.shape[1], images.dtype)
    return einsum("ih,nhwc->niwc", rows, images)


@functools.partial(compiler.jit, static_argnums=(0, 1, 2))
def _features(
    network: FeatureNetwork, size: int, layers: tuple[str, ...], params: Any, images: jax.Array
) -> tuple[jax.Array, ...]:
    """One array (n, features) per layer."""
    found = network.activations(params, resized(images, size))
    return tuple(found[layer].reshape(len(images), -1) for layer in layers)


_unit_rows = jax.jit(unit_rows)

FeaturesOf = Callable[[Any], tuple[jax.Array, ...]]


def _distances(
    features_of: FeaturesOf, targets: np.ndarray, reconstructions: np.ndarray, block: int
) -> tuple[np.ndarray, ...]:
    """1 - correlation with the own image, (n,) for each array of features."""

    def distance(own: np.ndarray, made: np.ndarray) -> tuple[jax.Array, ...]:
        pairs = zip(features_of(own), features_of(made), strict=True)
        return tuple(1 - jnp.sum(_unit_rows(x) * _unit_rows(y), axis=1) for x, y in pairs)

    return in_blocks(distance, (targets, reconstructions), block)


def _identification(
    features_of: FeaturesOf, targets: np.ndarray, reconstructions: np.ndarray, block: int
) -> tuple[np.ndarray, ...]:
    """The share of the other distinct targets that rank strictly below, (n,) for each array."""
    (own_ids,) = image_ids(targets)
    candidate_ids, first = np.unique(own_ids, return_index=True)
    if len(first) < 2:
        return ()
    candidates = in_blocks(
        lambda images: tuple(map(_unit_rows, features_of(images))), (targets[first],), block
    )

    def compare(own: np.ndarray, made: np.ndarray, ids: np.ndarray) -> tuple[Ranks, ...]:
        pairs = zip(features_of(own), features_of(made), candidates, strict=True)
        return tuple(block_ranks(x, y, ids, known, candidate_ids) for x, y, known in pairs)

    ranked = in_blocks(compare, (targets, reconstructions, own_ids), block)
    return tuple(ranks.below / ranks.distractors for ranks in ranked)
