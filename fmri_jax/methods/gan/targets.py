"""The comparator's activations of the training images, computed once before training."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from jax.sharding import Mesh

from fmri_jax.methods.gan.step import Features, TrainStep
from fmri_jax.training.batches import as_unit_range
from fmri_jax.training.mesh import replicate

LIMIT_BYTES = 2**30  # on each device


def comparator_targets(
    step: TrainStep,
    comparator: Any,
    images: np.ndarray,
    mesh: Mesh,
    limit_bytes: int = LIMIT_BYTES,
) -> Features | None:
    """What the generated images' features are compared with, one row per training image.

    Without a random crop or shift an image is the same in every step, and so are its features: a
    step then gathers them by stimulus, instead of running the comparator over as many target images
    as generated ones.

    Args:
        step: the training step that will use them.
        comparator: frozen parameters.
        images: (stimuli, h, w, c) uint8, those shown in training, in `Batch.stimulus`'s order.
        mesh: the devices that get a copy each.
        limit_bytes: features that take more are left to the step.

    Returns:
        layer -> (stimuli, ...) float32; None where the step has to compute them, because it crops
        or moves images at random, has no feature term, or is taken too seldom, or because memory is
        short.
    """
    config = step.config
    seldom = config.total_steps * config.batch_size < len(images)
    moved = config.crop or config.refines
    if moved or not config.feature_weight or seldom:
        return None
    shapes = feature_shapes(step, comparator, images)
    n_bytes = len(images) * 4 * sum(math.prod(shape) for shape in shapes.values())
    if n_bytes > limit_bytes:
        logging.warning(
            "comparator features of %d training images take %.1f GiB, more than %.1f GiB: each "
            "step computes those of its own images again, which is slower",
            *(len(images), n_bytes / 2**30, limit_bytes / 2**30),
        )
        return None
    logging.info("comparator features of %d images: %.0f MiB", len(images), n_bytes / 2**20)
    return replicate(features_in_blocks(step, comparator, images), mesh)


def feature_shapes(
    step: TrainStep, comparator: Any, images: np.ndarray
) -> dict[str, tuple[int, ...]]:
    """layer -> shape of the features of one of the images (stimuli, h, w, c)."""
    one = jax.ShapeDtypeStruct((1, *images.shape[1:]), jnp.float32)
    found = jax.eval_shape(step.features, comparator, one)
    return {layer: x.shape[1:] for layer, x in found.items()}


def features_in_blocks(
    step: TrainStep, comparator: Any, images: np.ndarray
) -> dict[str, np.ndarray]:
    """Features of images (stimuli, h, w, c), computed in blocks of one shape, a training batch's.

    Returns:
        layer -> (stimuli, ...) float32, on the host.
    """
    n, size = len(images), step.config.batch_size
    padded = images[np.arange(n + -n % size) % n]
    blocks = [
        jax.device_get(_features(step, comparator, padded[start : start + size]))
        for start in range(0, n, size)
    ]
    return {layer: np.concatenate([block[layer] for block in blocks])[:n] for layer in blocks[0]}


@functools.partial(jax.jit, static_argnums=0)
def _features(step: TrainStep, comparator: Any, images: jax.Array) -> Features:
    return step.features(comparator, as_unit_range(images))
