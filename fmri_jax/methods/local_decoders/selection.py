"""Choosing decoder, scales, weights and regularisation on inner folds of the training trials."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.methods.local_decoders.bases import basis, sizes_of
from fmri_jax.methods.local_decoders.combine import (
    by_channel,
    combination,
    learn,
    synthesise,
)
from fmri_jax.methods.local_decoders.folds import inner_folds, out_of_sample
from fmri_jax.methods.local_decoders.options import Config
from fmri_jax.methods.local_decoders.receptive_fields import (
    Settings,
    fit_grid,
    geometry,
)

SETTINGS = Settings._fields  # options that only "receptive_fields" reads, beside its prior's scale


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
    fmri: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
    config: Config,
    key: jax.Array,
    mesh: jax.sharding.Mesh | None = None,
    candidates: Sequence[dict[str, Any]] = CANDIDATES,
) -> Config:
    """The candidate that reconstructs left-out training stimuli best.

    Args:
        fmri: (n, voxels).
        images: (n, height, width, channels) in [0, 1].
        groups: (n,) trials that stay together; with one group there is nothing to choose by, and
            `config` is returned as it is.
        config: everything that the candidates do not change.
        key: random key for learned weights.
        mesh: devices that the elements are dealt over.
        candidates: option name -> value, each a change of `config`.

    Returns:
        A config with `select="fixed"`.
    """
    changed = [dataclasses.replace(config, select="fixed", **change) for change in candidates]
    configs = [one for one in changed if _fits(one, images.shape[1], images.shape[2])]
    if len(np.unique(groups)) < 2:
        return dataclasses.replace(config, select="fixed")
    scores = score_configs(fmri, images, groups, configs, key, mesh)
    return configs[int(np.argmax(scores))]


def score_configs(
    fmri: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
    configs: Sequence[Config],
    key: jax.Array,
    mesh: jax.sharding.Mesh | None = None,
) -> np.ndarray:
    """(configs,) out-of-sample score of each, larger is better; see `criterion`."""
    scores = np.empty(len(configs))
    inverted = [i for i, config in enumerate(configs) if _is_pixelwise_inversion(config)]
    seen = _inversions(fmri, images, groups, [configs[i] for i in inverted])
    scores[inverted] = [criterion(one, images) for one in seen]
    predictions: dict[Config, np.ndarray] = {}  # of decoders that differ in their weights only
    for i in sorted(set(range(len(configs))) - set(inverted)):
        decoder = dataclasses.replace(configs[i], weights="equal")
        if decoder not in predictions:
            elements = basis(sizes_of(decoder.scales), *images.shape[1:3])
            predictions[decoder] = out_of_sample(fmri, images, groups, elements, decoder, mesh)
        scores[i] = criterion(
            cross_fitted(predictions[decoder], images, groups, configs[i], key), images
        )
    return scores


def criterion(reconstructed: np.ndarray, images: np.ndarray) -> float:
    """The share of right pixels at a threshold of 0.5; minus the squared error if not binary."""
    if np.isin(images, (0, 1)).all():
        return float(np.mean((reconstructed > 0.5) == (images > 0.5)))
    return -float(np.mean(np.square(np.clip(reconstructed, 0, 1) - images)))


def cross_fitted(
    predictions: np.ndarray, images: np.ndarray, groups: np.ndarray, config: Config, key: jax.Array
) -> np.ndarray:
    """Combines out-of-sample predictions by weights that are out of sample, too.

    The weights for an inner fold's trials are learned from the predictions of the others.
    """
    elements = basis(sizes_of(config.scales), *images.shape[1:3])
    combined = np.empty(images.shape, np.float32)
    for out in inner_folds(groups, config.n_inner):
        learnt = learn(config.weights, elements, *by_channel(predictions[~out], images[~out]), key)
        matrix = jnp.asarray(combination(elements, learnt))
        combined[out] = synthesise(jnp.asarray(predictions[out]), matrix, images.shape[1:])
    return combined


def _fits(config: Config, height: int, width: int) -> bool:
    """Whether all elements of a config fit the images."""
    return all(h <= height and w <= width for h, w in sizes_of(config.scales))


def _is_pixelwise_inversion(config: Config) -> bool:
    """Whether all that a config asks for is the posterior mean of the pixels."""
    return (
        config.decoder == "receptive_fields"
        and sizes_of(config.scales) == ((1, 1),)
        and (config.weights == "equal")
    )


def _inversions(
    fmri: np.ndarray,
    images: np.ndarray,
    groups: np.ndarray,
    configs: Sequence[Config],
) -> np.ndarray:
    """(configs, n, h, w, c) out-of-sample images by inverted encoding models.

    The configs of one prior lie on a grid of settings, whose models share most of their work.
    """
    found = np.empty((len(configs), *images.shape), np.float32)
    flat = images.reshape(len(images), -1)
    for scale in sorted({config.prior_scale for config in configs}):
        members = [i for i, config in enumerate(configs) if config.prior_scale == scale]
        values = np.asarray([[getattr(configs[i], n) for n in SETTINGS] for i in members])
        axes, places = zip(
            *(np.unique(column, return_inverse=True) for column in values.T), strict=True
        )
        fields = geometry(*images.shape[1:], scale)
        for out in inner_folds(groups, configs[members[0]].n_inner):
            models = fit_grid(fmri, flat, fields, Settings(*axes), ~out)
            coef, intercept = np.asarray(models.coef)[places], np.asarray(models.intercept)[places]
            seen = fmri[out] @ coef + intercept[:, None]
            found[np.ix_(members, out)] = seen.reshape(-1, *images[out].shape)
    return found
