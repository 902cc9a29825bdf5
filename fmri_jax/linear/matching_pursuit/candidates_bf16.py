"""The atom that correlates most with each residual: proposed cheaply, decided in full precision.

Proposals come from a product in bfloat16, here, or from columns of the Gram matrix (`lookahead`).
A product in bfloat16 takes half the time of one in float32 where the processor has such products
(with AVX2 alone it takes longer; on a GPU far less), but its result is only a proposal.
The rounding errors of both factors are known, so the Cauchy-Schwarz inequality
bounds how far each proposed correlation can be off. Of every target, the `CANDIDATES` atoms with
the largest upper bounds are looked at, and where the bound of several exceeds what the best is sure
to reach (rivals), these are evaluated in full precision. Where that leaves a doubt, because an atom
beyond the candidates could still be better, the step is repeated with a product in full precision.
The choice is therefore that of full precision, whatever was proposed.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.linear.design import Design, inner
from fmri_jax.linear.selection import correlate

CANDIDATES = 16  # atoms of a target that can be chosen without a product in full precision


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


class Proposal(NamedTuple):
    """Upper bounds of |atom . residual| for every target, and how far above it they may lie.

    Attributes:
        bound: (t, s), -1 for atoms in use.
        per_norm: (t, 1) a bound is at most 2 norm per_norm above the correlation,
        per_error: (t, 1) plus 2 error per_error of its atom; None for none.
    """

    bound: jax.Array
    per_norm: jax.Array
    per_error: jax.Array | None = None

    def slack(self, dictionary: Dictionary, features: jax.Array) -> jax.Array:
        """Half of how far the bounds of these features (t, c) may lie above, (t, c)."""
        slack = dictionary.norm[features] * self.per_norm
        if self.per_error is None:
            return slack
        return slack + dictionary.error[features] * self.per_error


def propose(
    dictionary: Dictionary, residual: jax.Array, free: jax.Array, selected: jax.Array | None
) -> Proposal:
    """Upper bounds of the correlations with the residuals, from one bfloat16 product.

    Args:
        dictionary: the atoms.
        residual: (t, n).
        free: (t, s) atoms that may still be chosen.
        selected: (t, s) features that are a target's atoms; None for all.
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
) -> Proposal:
    """|products| (t, features) plus the most that bfloat16 can have taken away; as `propose`."""
    per_error, per_norm = _slack(residual)
    bound = jnp.abs(products.astype(residual.dtype))
    bound = bound + dictionary.error * per_error + dictionary.norm * per_norm
    return Proposal(jnp.where(free, own_values(bound, selected), -1), per_norm, per_error)


def choose(
    dictionary: Dictionary,
    residual: jax.Array,
    proposal: Proposal,
    selected: jax.Array | None,
    active: jax.Array,
    least: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The free atom of each target that correlates most, decided in full precision.

    Args:
        dictionary: the atoms.
        residual: (t, n).
        proposal: upper bounds (t, s) of the correlations.
        selected: (t, s) features that are a target's atoms; None for all.
        active: (t,) targets whose choice matters.
        least: (t,) correlations of at most norm * least are rounding errors.

    Returns:
        (place (t,) in 0 .. s - 1, feature (t,), |correlation| (t,) or a lower bound of it above
        norm * least). Of equal correlations the first feature, as argmax over all would give.
    """
    bound, usable = proposal.bound, proposal.bound.shape[1]
    # XLA makes a top_k whose result is sliced into a full sort: hence max and min below.
    best, places = lax.top_k(bound, min(CANDIDATES, usable))
    features = _own_places(places, selected)
    sure = jnp.max(best - 2 * proposal.slack(dictionary, features), axis=1, keepdims=True)
    rivals = (best >= jnp.maximum(sure, 0)) & active[:, None]
    # An atom without rivals is the choice, if its correlation surely is no rounding error.
    sole = (jnp.sum(rivals, axis=1, keepdims=True) == 1) & (
        sure > least[:, None] * dictionary.norm[features]
    )
    exact = _evaluate(dictionary, residual, features, rivals & ~sole)
    place, feature, top = _first_of_largest(jnp.where(rivals & sole, sure, exact), places, features)
    doubt = jnp.any((top < jnp.min(best, axis=1)) & active & (usable > CANDIDATES))

    def in_full_precision() -> tuple[jax.Array, jax.Array, jax.Array]:
        products = own_values(jnp.abs(correlate(residual, dictionary.features)), selected)
        best, places = lax.top_k(jnp.where(bound < 0, -1, products), min(CANDIDATES, usable))
        features = _own_places(places, selected)
        # The products' own rounding may have swapped neighbours: evaluate the candidates alike.
        exact = jnp.abs(inner(dictionary.features.rows[features], residual[:, None]))
        return _first_of_largest(jnp.where(best < 0, -1, exact), places, features)

    return lax.cond(doubt, in_full_precision, lambda: (place, feature, top))


def _evaluate(
    dictionary: Dictionary, residual: jax.Array, features: jax.Array, needed: jax.Array
) -> jax.Array:
    """Correlations (t, c) of the needed atoms in full precision, -1 elsewhere.

    Wanted atoms are few: packing them into one list saves reading (t, c, n) numbers.
    """
    t, at_once = len(features), max(1, len(features) // 4)
    target, column = jnp.nonzero(needed, size=-(-needed.size // at_once) * at_once, fill_value=t)

    def some(i: jax.Array, values: jax.Array) -> jax.Array:
        who, where = (lax.dynamic_slice_in_dim(a, i * at_once, at_once) for a in (target, column))
        rows = dictionary.features.rows[features.at[who, where].get(mode="clip")]
        exact = jnp.abs(inner(rows, residual.at[who].get(mode="clip")))
        return values.at[who, where].set(exact, mode="drop")

    none = jnp.full(features.shape, -1, residual.dtype)
    return lax.fori_loop(0, -(-jnp.sum(needed) // at_once), some, none)


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


def own_values(values: jax.Array, selected: jax.Array | None) -> jax.Array:
    """Of values (t, features) those of each target's atoms (t, s)."""
    return values if selected is None else jnp.take_along_axis(values, selected, axis=1)


def _own_places(places: jax.Array, selected: jax.Array | None) -> jax.Array:
    """The features at places (t, c) among each target's atoms."""
    return places if selected is None else jnp.take_along_axis(selected, places, axis=1)
