"""Which voxels a decoder may use: the F-test of all voxels against all targets in one product."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.errors import InputError
from fmri_jax.linear.design import Design, centre_targets, check, design, inner, power_of_two


def f_test(X: Any, Y: Any) -> jax.Array:
    """F statistic of each feature's univariate linear regression on each target.

    With r the Pearson correlation of a feature and a target over n samples, F = r^2 / (1 - r^2)
    * (n - 2), one degree of freedom against n - 2.

    Args:
        X: (samples, features).
        Y: (samples, targets).

    Returns:
        (features, targets), equal to scikit-learn's `f_regression` of each target: 0 where the
        feature or the target is constant, the largest finite number where |r| = 1.

    Raises:
        InputError: the arrays do not fit each other.
    """
    X, Y, _ = check(X, Y)
    return _f_test(X, Y)


@jax.jit
def _f_test(X: jax.Array, Y: jax.Array) -> jax.Array:
    features, (targets, _) = design(X, standardise=True), centre_targets(Y)
    return f_scores(features, targets, correlate(targets, features), X.shape[0]).T


def correlate(targets: jax.Array, features: Design) -> jax.Array:
    """Inner products (targets, features) of centred rows, in full precision on every platform."""
    return lax.dot_general(
        targets, features.rows, (((1,), (1,)), ((), ())), precision=lax.Precision.HIGHEST
    )


def f_scores(features: Design, targets: jax.Array, products: jax.Array, n: int) -> jax.Array:
    """F statistics (targets, features) from the products of standardised rows with targets."""
    unit = power_of_two(jnp.max(jnp.abs(targets), axis=1, keepdims=True))
    norms = unit * jnp.sqrt(n * inner(targets / unit, targets / unit))[:, None]
    r_squared = jnp.square(products / jnp.where(norms == 0, 1, norms))
    statistic = r_squared / jnp.maximum(1 - r_squared, jnp.finfo(products.dtype).tiny) * (n - 2)
    # A constant feature or target has products of exactly zero, hence F = 0.
    return jnp.minimum(statistic, jnp.finfo(products.dtype).max)


def select(F: Any, k: int) -> jax.Array:
    """The k best features of each target, as scikit-learn's `SelectKBest` takes them.

    Args:
        F: (features, targets) scores, larger is better; NaN counts as the smallest number.
        k: how many; all features where there are fewer.

    Returns:
        (targets, min(k, features)) int32, ascending. Of equal scores the later feature is taken.

    Raises:
        InputError: `F` is not (features, targets), or k is below 1.
    """
    F = jnp.asarray(F)
    if F.ndim != 2:
        raise InputError(f"F has shape {F.shape}: expected (features, targets).")
    if k < 1:
        raise InputError(f"k is {k}: expected at least 1 feature a target.")
    return _select(F, k)


@functools.partial(jax.jit, static_argnames="k")
def _select(F: jax.Array, k: int) -> jax.Array:
    return jnp.sort(select_rows(F.T, k), axis=1)


def select_rows(scores: jax.Array, k: int) -> jax.Array:
    """`select` for scores (targets, features), the best feature first."""
    features = scores.shape[1]
    scores = jnp.where(jnp.isnan(scores), jnp.finfo(scores.dtype).min, scores)
    # top_k prefers the earlier of two equal scores, scikit-learn the later: search backwards.
    _, places = lax.top_k(scores[:, ::-1], min(k, features))
    return (features - 1 - places).astype(jnp.int32)
