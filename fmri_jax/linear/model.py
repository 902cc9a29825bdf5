"""What a solver returns: coefficients in the units of the features it was given."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from fmri_jax.arrays import matmul


class LinearModel(NamedTuple):
    """Linear predictions of every target; a pytree that also unpacks as (coef, intercept).

    Attributes:
        coef: (features, targets).
        intercept: (targets,).
    """

    coef: jax.Array
    intercept: jax.Array

    def predict(self, X: jax.Array) -> jax.Array:
        """Predictions (samples, targets) for `X` (samples, features)."""
        return matmul(X, self.coef) + self.intercept


class SparseLinearModel(NamedTuple):
    """The same with a short list of features per target, for many features and many targets.

    Attributes:
        indices: (targets, k) int32 feature of each coefficient; -1 marks an unused place.
        values: (targets, k) coefficients, 0 in unused places.
        intercept: (targets,).
    """

    indices: jax.Array
    values: jax.Array
    intercept: jax.Array

    def predict(self, X: jax.Array) -> jax.Array:
        """Predictions (samples, targets) for `X` (samples, features)."""
        X = jnp.asarray(X)

        def one_place(
            total: jax.Array, place: tuple[jax.Array, jax.Array]
        ) -> tuple[jax.Array, None]:
            index, value = place
            return total + X[:, jnp.maximum(index, 0)] * value, None

        start = jnp.broadcast_to(self.intercept, (X.shape[0], self.intercept.shape[0]))
        # One place after another: gathering all of them would hold (samples, targets, k).
        return jax.lax.scan(one_place, start, (self.indices.T, self.values.T))[0]

    @functools.partial(jax.jit, static_argnames="features")
    def dense(self, features: int) -> LinearModel:
        """The same model with coefficients (features, targets)."""
        targets = self.indices.shape[0]
        # An unused place (-1) points behind the last feature, where the scatter drops it.
        rows = jnp.where(self.indices < 0, features, self.indices)
        coef = jnp.zeros((features, targets), self.values.dtype)
        coef = coef.at[rows, jnp.arange(targets)[:, None]].add(self.values, mode="drop")
        return LinearModel(coef, self.intercept)
