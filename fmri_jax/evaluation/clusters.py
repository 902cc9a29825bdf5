"""Leave-a-cluster-out splits: test stimuli that resemble nothing in training.

Where test stimuli have close relatives in training, a method can score well by decoding which
cluster of training stimuli was shown. Leaving clusters out shows whether it reconstructs.
"""

from typing import Any

import numpy as np

from fmri_jax.errors import InputError


def cluster_stimuli(
    features: Any, n_clusters: int = 10, n_components: int = 50, seed: int = 0
) -> np.ndarray:
    """Groups similar stimuli by k-means.

    The groups serve as folds: `config.preparation.split = "cluster"` leaves one of them out at a
    time; for groups of one's own, by content say, `data.preparation.folds` takes them as
    `clusters`.

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

    rows = np.asarray(features, np.float32)
    rows = rows.reshape(len(rows), -1)
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
