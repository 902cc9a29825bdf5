"""Where a generator of latents begins: the best linear map of features, and of noise beside them.

The features are mapped by reduced-rank ridge regression (Izenman 1975), and what they leave open
is modelled by probabilistic principal components (Tipping & Bishop 1999), whose latent variables
are the noise. Both are known in closed form from second moments.
"""

import dataclasses
from typing import Any

import numpy as np

from fmri_jax.networks.latent_generator import LatentGeneratorConfig

BLOCK = 4096  # rows that are float32 at a time
JUDGED = 10  # one row in so many chooses the penalty
PENALTIES = tuple(10.0**i for i in range(-4, 2))  # in units of the features' mean eigenvalue
LEAST_VARIANCE = 1e-6  # of a direction of the latents, where it has none


@dataclasses.dataclass
class Moments:
    """Second moments of features (f) and latents (v), about the mean of the latents.

    Attributes:
        n: rows.
        mean: (v,) of the latents.
        features: (f, f).
        both: (f, v).
        latents: (v, v).
    """

    n: int
    mean: np.ndarray
    features: np.ndarray
    both: np.ndarray
    latents: np.ndarray

    def error(self, weights: np.ndarray) -> float:
        """Squared error of latents predicted by weights (f, v), summed over all values."""
        explained = 2 * (weights * self.both).sum()
        explained -= (weights * (self.features @ weights)).sum()
        return float(np.trace(self.latents) - explained)


def begin(params: Any, config: LatentGeneratorConfig, latents: Any, features: Any) -> Any:
    """Parameters whose generator and encoder are the linear maps.

    Args:
        params: "generator" and "encoder", at random; what they add to linear maps is 0.
        config: sizes.
        latents: (n, sides, h, w, channels), where "sides" are an image and its mirror image.
        features: (n, sides, features), of mean 0.

    Returns:
        The same with other values of the linear maps, and of the noise that the encoder states.
    """
    training, judged = _moments(latents, features)
    weights = _ridge(training, judged)
    codes, told = _reduced(weights, training, config.feature_units)
    weights = codes @ told
    rest = _rest(training, weights)
    left_open, found, deviation = _components(rest, config.noise)
    generator, encoder = dict(params["generator"]), dict(params["encoder"])
    generator["told"] = {
        "features": {"kernel": codes, "bias": np.zeros(codes.shape[1], np.float32)},
        "latents": {"kernel": told, "bias": training.mean},
    }
    generator["left_open"] = {"kernel": left_open}
    encoder["linear"] = {"kernel": found}
    stated = np.concatenate([np.zeros(config.noise), np.log(deviation)])
    encoder["noise"] = {**encoder["noise"], "bias": stated}
    return _float32({**params, "generator": generator, "encoder": encoder})


def _float32(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _float32(part) for name, part in tree.items()}
    return np.asarray(tree, np.float32)


def _moments(latents: Any, features: Any) -> tuple[Moments, Moments]:
    """Of the rows that weights are found of, and of those that choose the penalty."""
    judges = np.arange(len(latents)) % JUDGED == JUDGED - 1
    mean = _rows(latents[~judges]).mean(axis=0, dtype=np.float64).astype(np.float32)
    parts = []
    for rows in (np.flatnonzero(~judges), np.flatnonzero(judges)):
        f, v = int(np.prod(features.shape[2:])), len(mean)
        found = Moments(0, mean, np.zeros((f, f)), np.zeros((f, v)), np.zeros((v, v)))
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            x, y = _rows(features[some]), _rows(latents[some]) - mean
            found.n += len(x)
            found.features += x.T @ x
            found.both += x.T @ y
            found.latents += y.T @ y
        parts.append(found)
    return parts[0], parts[1]


def _rows(array: Any) -> np.ndarray:
    """(n, sides, ...) -> (n * sides, values) float32."""
    return np.asarray(array, np.float32).reshape(len(array) * array.shape[1], -1)


def _ridge(training: Moments, judged: Moments) -> np.ndarray:
    """Weights (f, v) with the penalty of least error in other rows."""
    eigenvalues, basis = np.linalg.eigh(training.features)
    turned = basis.T @ training.both
    scale = eigenvalues.clip(0).mean()
    candidates = (
        basis @ (turned / (eigenvalues.clip(0) + penalty * scale)[:, None]) for penalty in PENALTIES
    )
    return min(candidates, key=judged.error)


def _reduced(weights: np.ndarray, moments: Moments, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights as a product of rank `units`, with codes of unit variance: (f, units), (units, v)."""
    predicted = weights.T @ (moments.features / moments.n) @ weights
    eigenvalues, directions = np.linalg.eigh(predicted)
    order = np.argsort(eigenvalues)[::-1][:units]
    spread = np.sqrt(eigenvalues[order].clip(LEAST_VARIANCE))
    directions = directions[:, order]
    missing = units - len(order)  # more units than there are values: idle ones
    codes = np.pad(weights @ directions / spread, ((0, 0), (0, missing)))
    return codes, np.pad((directions * spread).T, ((0, missing), (0, 0)))


def _rest(moments: Moments, weights: np.ndarray) -> np.ndarray:
    """Covariance (v, v) of the latents less those told."""
    crossed = weights.T @ moments.both
    told = weights.T @ moments.features @ weights
    return (moments.latents - crossed - crossed.T + told) / moments.n


def _components(covariance: np.ndarray, noise: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilistic principal components.

    Returns:
        Weights (noise, v) of normal noise, weights (v, noise) that find its posterior mean, and
        (noise,) the posterior's deviation (Tipping & Bishop 1999, equations 7 and 9).
    """
    eigenvalues, directions = np.linalg.eigh(covariance)
    eigenvalues, directions = eigenvalues[::-1].clip(LEAST_VARIANCE), directions[:, ::-1]
    kept, left = eigenvalues[:noise], eigenvalues[noise:]
    variance = left.mean() if len(left) else LEAST_VARIANCE
    lengths = np.sqrt((kept - variance).clip(0))
    missing = noise - len(kept)
    found = np.pad(directions[:, :noise] * lengths / kept, ((0, 0), (0, missing)))
    made = np.pad((directions[:, :noise] * lengths).T, ((0, missing), (0, 0)))
    deviation = np.pad(np.sqrt((variance / kept).clip(max=1)), (0, missing), constant_values=1)
    return made, found, deviation
