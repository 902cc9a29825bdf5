"""Correlations of a target's own voxels from columns of its Gram matrix, computed ahead.

With atoms I and coefficients c the residual is y - X_I c, and the target's own voxels S correlate
with it by

    X_S^T (y - X_I c) = X_S^T y - sum over i in I of c_i (X_S^T x_i):

no product with the samples, once the columns X_S^T x_i are known (Rubinstein, Zibulevsky & Elad
2008). Their order is not known beforehand, but most atoms are among the voxels that correlate best
with the target itself: the columns of the `AHEAD` best are computed together, while the target's
rows are gathered once. A target that chooses another atom gets its column out of one product of all
such targets' atoms with all voxels, which needs no gathering; should that happen to every target at
every step, it takes as long as without columns at hand.

At nilearn's size, 500 of 5,438 voxels, the columns at hand are 7.6 GFLOP and those of atoms that
were not foreseen 7, where nine products with all voxels are 46. How far off rounding leaves such a
correlation is bounded, so that it can be a proposal: `proposals.choose` decides.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.arrays import matmul
from fmri_jax.linear.matching_pursuit.candidates_bf16 import Dictionary, Proposal, own_values

AHEAD = 16  # columns at hand of each target
TOGETHER = 32  # atoms that were not foreseen in one product


class Lookahead(NamedTuple):
    """Columns of each target's Gram matrix.

    Attributes:
        products: (t, s) correlations of the targets with their own voxels.
        norms: (t, s) norms of these voxels.
        used: (atoms, t, s) columns of the atoms chosen.
        places: (t, b) voxels whose columns are at hand, of 0 .. s - 1.
        columns: (t, s, b) their columns.
    """

    products: jax.Array
    norms: jax.Array
    used: jax.Array
    places: jax.Array
    columns: jax.Array


def worthwhile(features: int, own: int) -> bool:
    """Whether columns cost less than bfloat16 products with all features: on CPU, for few voxels.

    Not measured on accelerators, whose bfloat16 products are cheap and gathers are not.
    """
    return jax.default_backend() == "cpu" and 4 * own <= features


def start_lookahead(
    dictionary: Dictionary, products: jax.Array, selected: jax.Array, atoms: int
) -> Lookahead:
    """Columns of the voxels that correlate best, for products (t, features), own voxels (t, s)."""
    rows = dictionary.features.rows
    products = own_values(products, selected)
    t, s = products.shape
    places = lax.top_k(jnp.abs(products), min(AHEAD, s))[1].astype(jnp.int32)

    def of_one_target(mine: tuple[jax.Array, jax.Array]) -> jax.Array:
        own, best = mine
        # The barrier hands the library gathered rows: a product is slow that gathers them itself.
        gathered = rows.at[own].get(mode="clip"), rows.at[own[best]].get(mode="clip")
        all_own, few = lax.optimization_barrier(gathered)
        return matmul(all_own, few.T)

    return Lookahead(
        products,
        dictionary.norm[selected],
        used=jnp.zeros((atoms, t, s), products.dtype),
        places=places,
        columns=lax.map(of_one_target, (selected, places)),
    )


def add_column(
    dictionary: Dictionary,
    selected: jax.Array,
    ahead: Lookahead,
    place: jax.Array,
    step: jax.Array,
    needed: jax.Array,
) -> Lookahead:
    """Puts the columns of the atoms just chosen with those in use.

    Args:
        dictionary: the atoms.
        selected: (t, s) own features of each target.
        ahead: what is known so far.
        place: (t,) atoms, of 0 .. s - 1.
        step: how many columns are in use.
        needed: (t,) targets that need the column; those of the others are undefined.
    """
    t = len(place)
    known = ahead.places == place[:, None]
    column = jnp.take_along_axis(
        ahead.columns, jnp.argmax(known, axis=1)[:, None, None], axis=2, mode="clip"
    )[:, :, 0]
    missing = needed & ~jnp.any(known, axis=1)
    some = min(TOGETHER, t)
    (targets,) = jnp.nonzero(missing, size=-(-t // some) * some, fill_value=t)
    feature = jnp.take_along_axis(selected, place[:, None], axis=1)[:, 0]

    def compute(i: jax.Array, column: jax.Array) -> jax.Array:
        who = lax.dynamic_slice_in_dim(targets, i * some, some)
        atoms = dictionary.features.rows[feature.at[who].get(mode="clip")]
        # Voxels first: the other way round XLA's CPU library packs all of them anew every time.
        columns = matmul(dictionary.features.rows, atoms.T)
        own = selected.at[who].get(mode="clip")
        return column.at[who].set(columns[own, jnp.arange(some)[:, None]], mode="drop")

    column = lax.fori_loop(0, -(-jnp.sum(missing) // some), compute, column)
    return ahead._replace(used=ahead.used.at[step].set(column))


def propose_from(
    dictionary: Dictionary,
    ahead: Lookahead,
    coefficients: jax.Array,
    chosen: jax.Array,
    free: jax.Array,
    size: jax.Array,
) -> Proposal:
    """Upper bounds of the correlations with the residuals, from the columns in use.

    Sums of n products err by at most n u times the norms' product (u: half of epsilon), here for
    the target and for every column; forming residual and coefficients adds a few u an atom.

    Args:
        dictionary: the atoms.
        ahead: products and columns.
        coefficients: (t, atoms) of the atoms chosen so far, 0 where there is none.
        chosen: (t, atoms) their features.
        free: (t, s) atoms that may still be chosen.
        size: (t,) norms of the targets.
    """
    samples, atoms = dictionary.features.rows.shape[1], len(ahead.used)
    explained = jnp.sum(ahead.used * coefficients.T[:, :, None], axis=0)
    unit = 1.01 * jnp.finfo(size.dtype).eps / 2 * (samples + 8 * atoms)
    moved = jnp.sum(jnp.abs(coefficients) * dictionary.norm[chosen], axis=1)
    per_norm = unit * (size + moved)[:, None]
    bound = jnp.abs(ahead.products - explained) + ahead.norms * per_norm
    return Proposal(jnp.where(free, bound, -1), per_norm)
