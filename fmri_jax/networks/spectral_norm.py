"""Spectral normalisation (Miyato et al. 2018) as a pure function of a network's parameters.

A kernel is divided by an estimate of its largest singular value: one step of the power method from
a vector that is kept between training steps. At inference the vector stays as it is, so that the
division is done once.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

EPSILON = 1e-12  # least length that a vector is divided by
NORMALISED = ("kernel", "embedding")  # names of parameters that have a vector
Vectors = Mapping[str, Any]  # parameter name -> (rows,)


def start(params: Any, key: jax.Array) -> dict[str, jax.Array]:
    """First vectors, standard normal, of each kernel (and embedding) in nested dicts of params."""
    kernels = {name: x for name, x in _flat(params).items() if name.endswith(NORMALISED)}
    keys = jax.random.split(key, len(kernels))
    return {
        name: jax.random.normal(k, (len(_matrix(name, x)),))
        for k, (name, x) in zip(keys, kernels.items(), strict=True)
    }


def normalise(params: Any, vectors: Vectors) -> tuple[Any, dict[str, jax.Array]]:
    """Divides by one power step from the vectors.

    The singular vectors carry no gradient, the singular value does, as published.

    Args:
        params: nested dicts of parameters.
        vectors: of those that are normalised; all others stay.

    Returns:
        Parameters, and the vectors for the next step of training.
    """
    flat, later = _flat(params), {}
    for name, vector in vectors.items():
        matrix = _matrix(name, flat[name])
        v, later[name] = power_step(jax.lax.stop_gradient(matrix), vector)
        flat[name] = flat[name] / (later[name] @ (matrix @ v))
    return unflatten_dict(flat, sep="/"), later


def orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A kernel (..., inputs, outputs) as an orthogonal matrix (Saxe et al. 2014), as BigGAN starts.

    Computed on the host: compiled, dozens of decompositions take minutes.
    """
    drawn = rng.standard_normal((int(np.prod(shape[:-1])), shape[-1]))
    u, _, v = np.linalg.svd(drawn, full_matrices=False)
    return np.float32(u @ v).reshape(shape)


def power_step(matrix: Any, u: Any) -> tuple[Any, Any]:
    """Right and left singular vectors of a matrix (rows, columns), one step from u (rows,)."""
    v = u @ matrix
    v = v / jnp.maximum(jnp.linalg.norm(v), EPSILON)
    u = matrix @ v
    return v, u / jnp.maximum(jnp.linalg.norm(u), EPSILON)


def folded(weight: np.ndarray, u: np.ndarray) -> np.ndarray:
    """A stored weight of PyTorch (out, ...) divided by sigma, one power step from its stored u."""
    matrix = np.asarray(weight, np.float64).reshape(len(weight), -1)
    v = np.asarray(u, np.float64).reshape(-1) @ matrix
    v /= max(float(np.linalg.norm(v)), EPSILON)
    return np.asarray(weight / np.linalg.norm(matrix @ v), np.float32)


def _matrix(name: str, kernel: jax.Array) -> jax.Array:
    """(outputs, inputs), or (classes, units) of an embedding."""
    if name.endswith("embedding"):
        return kernel
    return kernel.reshape(-1, kernel.shape[-1]).T


def _flat(params: Any) -> dict[str, jax.Array]:
    return flatten_dict(params, sep="/")
