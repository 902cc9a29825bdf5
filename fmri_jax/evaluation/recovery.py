"""Recovery check: does the reconstruction stage work when decoding is perfect?

If true features of an image do not give the image back, a poor reconstruction says nothing about
the brain, and a good-looking one comes from the generator. For a method that goes straight from
voxels to images the same question is asked with voxels that keep everything: noiseless random
linear views of the pixels.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import in_blocks
from fmri_jax.evaluation.images import as_images
from fmri_jax.evaluation.perceptual import PerceptualWeights
from fmri_jax.evaluation.scores import EvaluationConfig, score


def recover(reconstruct: Callable[[Any], Any], true_features: Any, block: int) -> np.ndarray:
    """Makes images of true features, in blocks of one shape.

    Args:
        reconstruct: the stage after decoding; features of `block` images -> images.
        true_features: array, or arrays by name, with first axis n.
        block: images at a time; the last block is filled up with its last image.

    Returns:
        (n, height, width, channels).
    """
    leaves, tree = jax.tree.flatten(true_features)

    def made(*arrays: np.ndarray) -> Any:
        features = jax.tree.map(jnp.asarray, jax.tree.unflatten(tree, arrays))
        return jnp.asarray(reconstruct(features))

    return in_blocks(made, tuple(np.asarray(leaf) for leaf in leaves), block)


def recovery_scores(
    reconstruct: Callable[[Any], Any],
    true_features: Any,
    targets: Any,
    training_images: Any = None,
    weights: PerceptualWeights | None = None,
    config: EvaluationConfig | None = None,
) -> dict[str, float]:
    """Scores what the reconstruction stage makes of true features.

    Args:
        reconstruct: (n, ...) features -> (n, height, width, channels) in [0, 1]; the stage after
            decoding, or a whole method fitted on `noiseless_voxels`.
        true_features: (n, ...) the features of the targets themselves, in place of decoded ones;
            an array, or arrays by name.
        targets: (n, height, width, channels).
        training_images: as in `score`.
        weights: as in `score`.
        config: as in `score`.

    Returns:
        metric -> value, the ceiling of this reconstruction stage.

    References:
        Shirakawa et al. (2024), "Spurious reconstruction from brain activity", arXiv:2405.10078
        ("recovery check").
    """
    recovered = recover(reconstruct, true_features, len(targets))
    return score(targets, recovered, training_images, weights, config)


def noiseless_voxels(
    training_images: Any, test_images: Any, n_voxels: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Simulates voxels that are random linear views of the pixels, without noise.

    Each voxel weights all pixels by independent Gaussian numbers. With at least as many voxels as
    pixels (or as training images span dimensions) nothing is lost, so whatever a method fails to
    reconstruct from them it would fail to reconstruct from any recording. Simulated data: label
    the scores so.

    Args:
        training_images: (m, height, width, channels); uint8 or in [0, 1].
        test_images: (n, height, width, channels).
        n_voxels: number of voxels.
        seed: of the weights.

    Returns:
        (m, n_voxels) and (n, n_voxels) float32, standardised by the training rows.
    """
    training = as_images(training_images, "training_images")
    test = as_images(test_images, "test_images")
    n_pixels = int(np.prod(training.shape[1:]))
    views = np.random.default_rng(seed).standard_normal((n_pixels, n_voxels), np.float32)
    rows, test_rows = (images.reshape(len(images), -1) @ views for images in (training, test))
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    return (rows - mean) / deviation, (test_rows - mean) / deviation
