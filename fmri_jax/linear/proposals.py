"""The atom that correlates most with each residual: bfloat16 proposes, full precision decides.

A product in bfloat16 takes half the time of one in float32 (far less on a GPU), but its result is
only a proposal. The rounding errors of both factors are known, so the Cauchy-Schwarz inequality
bounds how far each proposed correlation can be off. Of every target, the `CANDIDATES` atoms with
the largest upper bounds are looked at, and those among them whose bound exceeds what the best is
sure to reach (its rivals) are evaluated in full precision. Where that leaves a doubt, because an
atom beyond the candidates could still be better, the step is repeated with a product in full
precision. The choice is therefore that of full precision, whatever was proposed.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.linear.design import Design, inner
from fmri_jax.linear.selection import correlate

CANDIDATES = 16  # atoms of a target that can be chosen without a product in full precision
RIVALS = 4  # of them evaluated in full precision, on average over the targets


class Dictionary(NamedTuple):
    """The features as atoms, with what bounds the error of a bfloat16 product.

    Attributes:
        features: the design in full precision.
        coarse: (features, padded samples) bfloat16 rows.
        norm: (features,) norms of the rows.
        error: (features,) norms of what bfloat16 rounds off them.
    """

    features: Design
    coarse: jax.Array
    norm: jax.Array
    error: jax.Array


def dictionary_of(features: Design) -> Dictionary:
    """Prepares a design for `propose` and `choose`."""
    coarse = features.rows.astype(jnp.bfloat16)
    return Dictionary(features, coarse, _norm(features.rows), _norm(_lost(features.rows)))


def propose(
    dictionary: Dictionary, residual: jax.Array, free: jax.Array, selected: jax.Array | None
) -> jax.Array:
    """Upper bounds of the correlations with the residuals, from one bfloat16 product.

    Args:
        dictionary: the atoms.
        residual: (t, n).
        free: (t, s) atoms that may still be chosen.
        selected: (t, s) features that are a target's atoms; None for all.

    Returns:
        (t, s), -1 for atoms that are not free.
    """
    products = lax.dot_general(
        residual.astype(jnp.bfloat16),
        dictionary.coarse,
        (((1,), (1,)), ((), ())),
        preferred_element_type=jnp.float32,
    )
    return upper_bound(dictionary, residual, products, free, selected)


def upper_bound(
    dictionary: Dictionary,
    residual: jax.Array,
    products: jax.Array,
    free: jax.Array,
    selected: jax.Array | None,
) -> jax.Array:
    """|products| (t, features) plus the most that bfloat16 can have taken away; as `propose`."""
    per_error, per_norm = _slack(residual)
    bound = jnp.abs(products.astype(residual.dtype))
    bound = bound + dictionary.error * per_error + dictionary.norm * per_norm
    return jnp.where(free, _own(bound, selected), -1)


def choose(
    dictionary: Dictionary,
    residual: jax.Array,
    bound: jax.Array,
    selected: jax.Array | None,
    active: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The free atom of each target that correlates most, decided in full precision.

    Args:
        dictionary: the atoms.
        residual: (t, n).
        bound: (t, s) upper bounds, -1 for atoms that are not free.
        selected: (t, s) features that are a target's atoms; None for all.
        active: (t,) targets whose choice matters.

    Returns:
        (place (t,) in 0 .. s - 1, feature (t,), |correlation| (t,)). Of equal correlations the
        first feature, as argmax over all of them would give.
    """
    usable = bound.shape[1]
    # XLA turns a top_k whose result is sliced into a full sort: hence max and min below.
    best, places = lax.top_k(bound, min(CANDIDATES, usable))
    features = _own_places(places, selected)
    per_error, per_norm = _slack(residual)
    slack = dictionary.error[features] * per_error + dictionary.norm[features] * per_norm
    sure = jnp.max(best - 2 * slack, axis=1, keepdims=True)
    rivals = (best >= jnp.maximum(sure, 0)) & active[:, None]
    exact = _evaluate(dictionary, residual, features, rivals)
    place, feature, top = _first_of_largest(exact, places, features)
    beyond = (top < jnp.min(best, axis=1)) & active & (usable > CANDIDATES)
    doubt = jnp.any(beyond) | (jnp.sum(rivals) > RIVALS * len(rivals))

    def in_full_precision() -> tuple[jax.Array, jax.Array, jax.Array]:
        products = _own(jnp.abs(correlate(residual, dictionary.features)), selected)
        best, places = lax.top_k(jnp.where(bound < 0, -1, products), min(CANDIDATES, usable))
        features = _own_places(places, selected)
        # The products' own rounding may have swapped neighbours: evaluate the candidates alike.
        exact = jnp.abs(inner(dictionary.features.rows[features], residual[:, None]))
        return _first_of_largest(jnp.where(best < 0, -1, exact), places, features)

    return lax.cond(doubt, in_full_precision, lambda: (place, feature, top))


def _evaluate(
    dictionary: Dictionary, residual: jax.Array, features: jax.Array, wanted: jax.Array
) -> jax.Array:
    """Correlations (t, c) of the wanted atoms in full precision, -1 elsewhere.

    Wanted atoms are few: packing them into one list saves reading (t, c, n) numbers.
    """
    t = len(features)
    target, column = jnp.nonzero(wanted, size=RIVALS * t, fill_value=t)
    rows = dictionary.features.rows[features.at[target, column].get(mode="clip")]
    values = jnp.abs(inner(rows, residual.at[target].get(mode="clip")))
    return jnp.full(features.shape, -1, values.dtype).at[target, column].set(values, mode="drop")


def _first_of_largest(
    exact: jax.Array, places: jax.Array, features: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    top = jnp.max(exact, axis=1)
    equal = exact == top[:, None]
    first = jnp.argmin(jnp.where(equal, features, jnp.iinfo(jnp.int32).max), axis=1)[:, None]
    place, feature = (jnp.take_along_axis(a, first, axis=1)[:, 0] for a in (places, features))
    return place, feature, top


def _slack(residual: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(a, b), each (t, 1): a correlation is off by at most error a + norm b of its atom.

    With x = x' + dx and r = r' + dr, |x.r - x'.r'| <= |dx| |r| + |x'| |dr|; adding the n products
    up in float32 costs at most n 2^-24 |x'| |r'| more. The margin covers |x'| against |x| and the
    rounding of these norms themselves.
    """
    margin, size = 1.01, _norm(residual)[:, None]
    summing = residual.shape[1] * 2.0**-24 * size
    return margin * size, margin * (_norm(_lost(residual))[:, None] + summing)


def _lost(rows: jax.Array) -> jax.Array:
    """What bfloat16 rounds off."""
    return rows - rows.astype(jnp.bfloat16).astype(rows.dtype)


def _norm(rows: jax.Array) -> jax.Array:
    return jnp.sqrt(jnp.sum(jnp.square(rows), axis=1))


def _own(values: jax.Array, selected: jax.Array | None) -> jax.Array:
    """Of values (t, features) those of each target's atoms (t, s)."""
    return values if selected is None else jnp.take_along_axis(values, selected, axis=1)


def _own_places(places: jax.Array, selected: jax.Array | None) -> jax.Array:
    """The features at places (t, c) among each target's atoms."""
    return places if selected is None else jnp.take_along_axis(selected, places, axis=1)
