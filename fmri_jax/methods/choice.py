"""Choosing among samples by the responses that they would give (Naselaris et al. 2009)."""

import abc
import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.data.preparation.standardise import VoxelScale
from fmri_jax.encoding import files, fitted, memory
from fmri_jax.encoding.banded import Band, BandedReadout
from fmri_jax.encoding.feature_maps import pooled_maps
from fmri_jax.encoding.fitted import Encoding
from fmri_jax.encoding.noise_model import NoiseModel
from fmri_jax.encoding.options import Options
from fmri_jax.training.needs import Needs

Choice = Literal["first", "mean", "responses"]
NETWORK = "efficientnet_lite0"  # by whose features responses to samples are predicted
LAYER, CHANNELS = "pooled", 1280
SHOWN = 3  # samples of one row on a page
OPTIONS = Options(features=NETWORK, layers=(LAYER,), n_folds=10, rank=0)


def needs_of(stimuli: int, voxels: int) -> Needs:
    """What `fit` takes."""
    shown = np.arange(stimuli)
    return memory.of_banded_ridge({LAYER: CHANNELS}, voxels, shown, OPTIONS.rank)


def fit(images: np.ndarray, rows: np.ndarray) -> Encoding:
    """Learns from training stimuli.

    Args:
        images: (stimuli, h, w, c) uint8.
        rows: (stimuli, voxels) their responses.
    """
    maps = pooled_maps(images, *OPTIONS.source)
    return fitted.fit(maps, rows, np.arange(len(rows)), OPTIONS)


def likeness(encoding: Encoding, images: np.ndarray, fmri: jax.Array) -> jax.Array:
    """Correlation over voxels of predicted with measured responses, weighted by their accuracy.

    Not a likelihood: a test response may average other numbers of trials than those of training,
    and be scaled for that, which a correlation does not see.

    Args:
        encoding: of the training stimuli.
        images: (n, h, w, c) in [0, 1].
        fmri: (n, voxels).

    Returns:
        (n,).
    """
    predicted = jnp.asarray(encoding.predict(images))
    return weighted_correlation(predicted, jnp.asarray(fmri), jnp.asarray(encoding.accuracy))


def chosen(
    drawn: np.ndarray, how: Choice, encoding: Encoding | None, fmri: jax.Array
) -> np.ndarray:
    """What becomes of several samples of each row.

    Args:
        drawn: (samples, n, h, w, c) in [0, 1].
        how: the first sample, the mean of all, or the one whose predicted responses are nearest to
            those measured.
        encoding: predicts responses, for "responses".
        fmri: (n, voxels), standardised as in training.

    Returns:
        (n, h, w, c).
    """
    if how == "mean":
        return np.asarray(drawn.mean(axis=0))
    if how == "responses" and encoding is not None and len(drawn) > 1:
        found = np.stack([likeness(encoding, images, fmri) for images in drawn])
        return np.asarray(drawn[found.argmax(axis=0), np.arange(len(fmri))])
    return np.asarray(drawn[0])


def beside(drawn: np.ndarray) -> dict[str, np.ndarray]:
    """What a page shows of samples (samples, n, h, w, c) beside the chosen ones.

    Returns:
        Label -> (n, h, w, c): up to `SHOWN` samples, the mean of all, and twice their standard
        deviation, which is at most 1. Nothing of a single sample.
    """
    if len(drawn) < 2:
        return {}
    found = {f"sample {i}": images for i, images in enumerate(drawn[:SHOWN], start=1)}
    spread = np.clip(2 * drawn.std(axis=0), 0, 1)
    return found | {"mean of samples": drawn.mean(axis=0), "spread of samples": spread}


class Sampler(abc.ABC):
    """What reconstructors that draw several samples of each row have in common."""

    config: Any  # with `choice`
    encoding: Encoding | None

    @abc.abstractmethod
    def samples(self, fmri: Any) -> np.ndarray:
        """fMRI (n, voxels) -> images (samples, n, h, w, c) in [0, 1]."""

    def reconstruct_beside(self, fmri: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """What `reconstruct` returns, and what a page shows beside it: several samples.

        Args:
            fmri: (n, voxels), standardised as in training.

        Returns:
            The images, and label -> (n, h, w, c); see `beside`.
        """
        drawn = self.samples(fmri)
        made = chosen(drawn, self.config.choice, self.encoding, jnp.asarray(fmri))
        return made, beside(drawn)


@jax.jit
def weighted_correlation(a: jax.Array, b: jax.Array, weights: jax.Array) -> jax.Array:
    """Correlations (n,) of the rows of (n, voxels) twice, each voxel with its weight (voxels,)."""
    total = jnp.maximum(weights.sum(), 1e-12)
    a, b = (x - (x * weights).sum(1, keepdims=True) / total for x in (a, b))
    across = jnp.sqrt((a * a * weights).sum(1) * (b * b * weights).sum(1))
    return (a * b * weights).sum(1) / jnp.maximum(across, 1e-12)


def state(encoding: Encoding) -> dict[str, Any]:
    """Arrays by name, as nested dicts."""
    return files.tree(encoding)


def restore(tree: dict[str, Any]) -> Encoding:
    """The model whose `state` gave these; those of 0.1 had a map of all voxels in its dual form."""
    if "map" in tree:
        return _of_dual_map(tree)
    return files.from_tree(tree, OPTIONS, "errors")


def _of_dual_map(tree: dict[str, Any]) -> Encoding:
    """The model that 0.1 kept: weights of stimuli, from features in standard deviations."""
    (responses,), mapping = tree["map"]["targets"].values(), tree["map"]["map"]
    (alpha,), (mean,) = mapping["alphas"].values(), tree["map"]["means"].values()
    shrunk = jnp.sqrt(mapping["variance"]) / (mapping["variance"] + alpha)
    coef = mapping["right"] * shrunk @ (mapping["left"].T @ (responses - mean))
    n_features, voxels = coef.shape
    centre = tree["mean"] + tree["std"] * mapping["voxel_mean"]
    readout = BandedReadout(
        bands={LAYER: Band(centre, jnp.ones(()), jnp.zeros((0, n_features)))},
        coef={LAYER: coef / tree["std"][:, None]},
        weights={LAYER: jnp.ones(voxels)},
        mean=mean,
        alphas=jnp.full(voxels, alpha),
    )
    zeros, ones = np.zeros(voxels, np.float32), np.ones(voxels, np.float32)
    scale = VoxelScale(zeros, ones, zeros.astype(bool), keep_offset=False)
    noise = NoiseModel(jnp.zeros((0, voxels)), jnp.ones(voxels))
    return Encoding(
        dataclasses.replace(OPTIONS),
        readout,
        scale,
        noise,
        noise,
        np.asarray(tree["trust"]),
        "errors",
    )
