"""How much of a generator's images the instance decides, and how much the noise."""

from typing import Any

import jax
import numpy as np

N_INSTANCES, N_DRAWS = 32, 8


def instance_shares(prior: Any, photographs: np.ndarray, key: jax.Array) -> dict[str, float]:
    """Shares of variance that the instance explains, of pixels and of the features it is told by.

    Args:
        prior: an `ICGANPrior`.
        photographs: (n, size, size, 3), whose features are the instances; the first are taken.
        key: of the noise, of which every instance has draws of its own, as `share` expects: with
            shared ones it would take too much for chance.

    Returns:
        "instance_share" and "instance_share_of_features", each from 0 (noise alone decides) to 1.
    """
    features = prior.embed(photographs[:N_INSTANCES])
    n = len(features)
    noise = prior.draw_noise(n * N_DRAWS, key)
    images = prior.generate(np.repeat(features, N_DRAWS, axis=0), noise)
    found = {"instance_share": images, "instance_share_of_features": prior.embed(images)}
    return {name: share(rows.reshape(n, N_DRAWS, -1)) for name, rows in found.items()}


def share(rows: np.ndarray) -> float:
    """Share of the variance between groups, free of what chance adds to it (one-way random ANOVA).

    Args:
        rows: (groups, members, values), at least two of each.

    Returns:
        Variance between groups in that between and within them, summed over values; 0 to 1.
    """
    rows = np.asarray(rows, np.float64)
    within = rows.var(axis=1, ddof=1).mean(axis=0).sum()
    of_means = rows.mean(axis=1).var(axis=0, ddof=1).sum()
    between = max(of_means - within / rows.shape[1], 0.0)
    total = between + within
    return float(between / total) if total > 0 else 0.0
