"""Choosing decoder, scales, weights and regularisation on inner folds of the training trials."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.methods.local_decoders.bases import sizes_of
from fmri_jax.methods.local_decoders.combine import by_channel, combination, learn, synthesise
from fmri_jax.methods.local_decoders.decoders import settings_of
from fmri_jax.methods.local_decoders.options import Config
from fmri_jax.methods.local_decoders.receptive_fields import fit_several, geometry
from fmri_jax.methods.local_decoders.training import TrainingSet, inner_folds


def _candidates() -> tuple[dict[str, Any], ...]:
    """What `select="inner"` tries: the report's decoder, ridge of two kinds, receptive fields."""
    local = [
        {"decoder": "omp", "n_voxels": 500},
        {"decoder": "ridge", "n_voxels": 100, "alpha": 10.0},
        {"decoder": "ridge", "n_voxels": 1_000_000, "alpha": 100.0},
    ]
    combined = [
        {**decoder, "scales": (scale,), "weights": weights}
        for decoder in local
        for scale, weights in ((1, "equal"), (2, "equal"), (2, "learned"))
    ]
    inverted = [
        {
            "decoder": "receptive_fields",
            "scales": (1,),
            "weights": "equal",
            "alpha": alpha,
            "sharpness": sharpness,
            "noise_diagonal": diagonal,
            "prior_variance": variance,
        }
        for alpha, sharpness, diagonal, variance in itertools.product(
            (100.0, 300.0), (0.5, 1.0), (0.85, 0.95), (0.1, 0.2, 0.4)
        )
    ]
    return (*combined, *inverted)


CANDIDATES = _candidates()


def select(
    training: TrainingSet,
    config: Config,
    key: jax.Array,
    candidates: Sequence[dict[str, Any]] = CANDIDATES,
) -> Config:
    """The candidate that reconstructs left-out training stimuli best.

    Args:
        training: the trials; where inner folds would leave a single image to learn from there is
            nothing to choose by, and `config` is returned as it is.
        config: everything that the candidates do not change.
        key: random key for learned weights.
        candidates: option name -> value, each a change of `config`; those whose elements do not
            fit the images are left out.

    Returns:
        A config with `select="fixed"`.
    """
    fixed = dataclasses.replace(config, select="fixed")
    changed = [dataclasses.replace(fixed, **change) for change in candidates]
    configs = [one for one in changed if _fits(one, *training.shape[:2])]
    if not configs or not training.has_inner_folds(config.n_inner):
        return fixed
    return configs[int(np.argmax(score_configs(training, configs, key)))]


def score_configs(training: TrainingSet, configs: Sequence[Config], key: jax.Array) -> np.ndarray:
    """(configs,) out-of-sample score of each, larger is better; see `criterion`."""
    scores = np.empty(len(configs))
    inverted = [i for i, config in enumerate(configs) if _is_pixelwise_inversion(config)]
    seen = _inversions(training, [configs[i] for i in inverted])
    scores[inverted] = [criterion(one, training.images) for one in seen]
    for i in sorted(set(range(len(configs))) - set(inverted)):
        scores[i] = criterion(cross_fitted(training, configs[i], key), training.images)
    return scores


def criterion(reconstructed: np.ndarray, images: np.ndarray) -> float:
    """The share of right pixels at a threshold of 0.5; minus the squared error if not binary."""
    if np.isin(images, (0, 1)).all():
        return float(np.mean((reconstructed > 0.5) == (images > 0.5)))
    return -float(np.mean(np.square(np.clip(reconstructed, 0, 1) - images)))


def cross_fitted(training: TrainingSet, config: Config, key: jax.Array) -> np.ndarray:
    """Combines out-of-sample predictions by weights that are out of sample, too.

    The weights for an inner fold's trials are learned from the predictions of the others.

    Returns:
        (n, height, width, channels).
    """
    elements, images = training.basis(config), training.images
    predictions = training.out_of_sample(config)
    combined = np.empty(images.shape, np.float32)
    for out in inner_folds(training.groups, config.n_inner):
        learnt = learn(config.weights, elements, *by_channel(predictions[~out], images[~out]), key)
        matrix = jnp.asarray(combination(elements, learnt))
        combined[out] = synthesise(jnp.asarray(predictions[out]), matrix, training.shape)
    return combined


def _fits(config: Config, height: int, width: int) -> bool:
    """Whether all elements of a config fit the images, and leave no pixel between them."""
    return all(
        h <= height and w <= width and config.stride <= min(h, w)
        for h, w in sizes_of(config.scales)
    )


def _is_pixelwise_inversion(config: Config) -> bool:
    """Whether all that a config asks for is the posterior mean of the pixels."""
    return (
        config.decoder == "receptive_fields"
        and sizes_of(config.scales) == ((1, 1),)
        and (config.weights == "equal")
    )


def _inversions(training: TrainingSet, configs: Sequence[Config]) -> np.ndarray:
    """(configs, n, h, w, c) out-of-sample images by inverted encoding models."""
    images, fmri = training.images, jnp.asarray(training.fmri)
    flat = images.reshape(len(images), -1)
    found = np.empty((len(configs), *images.shape), np.float32)
    for scale in sorted({config.prior_scale for config in configs}):
        members = [i for i, config in enumerate(configs) if config.prior_scale == scale]
        settings = [settings_of(configs[i]) for i in members]
        fields = geometry(*training.shape, scale)
        for out in inner_folds(training.groups, configs[members[0]].n_inner):
            models = fit_several(fmri, flat, fields, settings, ~out)
            for i, model in zip(members, models, strict=True):
                seen = np.asarray(model.predict(fmri))[out]
                found[i, out] = seen.reshape(-1, *training.shape)
    return found
