"""Leave-a-cluster-out splits: test stimuli that resemble nothing in training.

Where test stimuli have close relatives in training, a method can score well by decoding which
cluster of training stimuli was seen. Leaving whole clusters out shows whether it reconstructs.
"""

from typing import Any

import jax
import numpy as np

from fmri_jax.errors import InputError
from fmri_jax.evaluation.metrics import unit_rows


def cluster_stimuli(
    features: Any, n_clusters: int = 10, n_components: int = 50, seed: int = 0
) -> np.ndarray:
    """Groups similar stimuli by k-means.

    The groups serve as folds: `dataclasses.replace(session, run=groups[session.stimulus])` and
    `split='run'` leave one cluster of stimuli out at a time.

    Args:
        features: (stimuli, ...) images, or activations of a network for groups by content.
        n_clusters: number of groups.
        n_components: principal components that are clustered; k-means is slow and uninformative
            in as many dimensions as an image has pixels.
        seed: of k-means.

    Returns:
        (stimuli,) int32 group numbers, the largest group first.

    Raises:
        InputError: fewer stimuli than groups, or groups than two.

    References:
        Shirakawa et al. (2024), "Spurious reconstruction from brain activity", arXiv:2405.10078,
        which shows how stimuli that cluster inflate identification.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    rows = _rows(features)
    if not 2 <= n_clusters <= len(rows):
        raise InputError(
            f"n_clusters is {n_clusters} for {len(rows)} stimuli: expected between 2 and the "
            "number of stimuli."
        )
    components = min(n_components, *rows.shape)
    reduced = PCA(components, random_state=seed).fit_transform(rows)
    labels = KMeans(n_clusters, n_init=10, random_state=seed).fit_predict(reduced)
    largest_first = np.argsort(-np.bincount(labels, minlength=n_clusters), kind="stable")
    return np.argsort(largest_first)[labels].astype(np.int32)


def nearest_in_training(features: Any, groups: Any) -> np.ndarray:
    """How much each stimulus resembles the most similar one outside its own group.

    With one group left out at a time, that is its nearest training stimulus. Beside the same
    number for groups made at random, it shows what a split really separates.

    Args:
        features: (stimuli, ...) images or activations.
        groups: (stimuli,) group numbers, at least two different ones.

    Returns:
        (stimuli,) correlation with the nearest stimulus of another group.

    Raises:
        InputError: all stimuli are in one group.
    """
    groups = np.asarray(groups)
    if len(np.unique(groups)) < 2:
        raise InputError("all stimuli are in one group: expected at least two groups.")
    unit = np.asarray(jax.jit(unit_rows)(_rows(features)))
    correlation = unit @ unit.T
    return np.where(groups[:, None] != groups, correlation, -np.inf).max(axis=1)


def _rows(features: Any) -> np.ndarray:
    features = np.asarray(features, np.float32)
    return features.reshape(len(features), -1)
