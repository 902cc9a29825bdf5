"""Frechet distance between two sets of images, by their features: how far distributions are apart.

It compares sets and pairs nothing, so that it suits samples of a prior, which have no target. Both
sets should be equally large, since the distance of small sets is too large on average: read it
beside the distance of as many real photographs.
"""

from typing import Any

import numpy as np

from fmri_jax.errors import InputError


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Distance of the Gaussians that have the means m and covariances S of two sets.

        d^2 = |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))

    With centred features A / sqrt(n - 1) and B / sqrt(k - 1), the trace of the root is the sum of
    the singular values of A B^T: no root of a matrix is needed, and sets that are smaller than
    their features are many do no harm.

    Args:
        a: (n, features).
        b: (k, features).

    Returns:
        d^2, which papers call the distance; at least 0.

    Raises:
        InputError: a set has fewer than two rows, or they differ in their features.

    References:
        Heusel et al. (2017), "GANs trained by a two time-scale update rule converge to a local Nash
        equilibrium", NeurIPS, equation 6; Dowson & Landau (1982), J. Multivar. Anal. 12:450.
    """
    check_features(a, b, least=2)
    rows = [np.asarray(features, np.float64) for features in (a, b)]
    means = [features.mean(axis=0) for features in rows]
    roots: Any = [
        # Of equal covariance, with no more rows than features.
        np.linalg.qr((features - mean) / np.sqrt(len(features) - 1), mode="r")
        for features, mean in zip(rows, means, strict=True)
    ]
    overlap = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    variance = sum((root**2).sum() for root in roots)
    return float(max(((means[0] - means[1]) ** 2).sum() + variance - 2 * overlap, 0.0))


def check_features(a: np.ndarray, b: np.ndarray, least: int) -> None:
    """Rejects features that cannot be compared.

    Raises:
        InputError: fewer than `least` rows, or the sets differ in their features.
    """
    shapes = np.shape(a), np.shape(b)
    if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise InputError(
            f"features have shapes {shapes[0]} and {shapes[1]}: expected (n, features) and "
            "(k, features)."
        )
    if min(shapes[0][0], shapes[1][0]) < least:
        raise InputError(
            f"the sets hold {shapes[0][0]} and {shapes[1][0]} images: expected at least {least} "
            "in each; give more."
        )
