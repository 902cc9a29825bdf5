"""The steps of orthogonal matching pursuit, all targets at once.

Each step chooses an atom for every target (`proposals`, `lookahead`), makes it orthogonal to those
that the target has, and takes it off the residual. Residuals are kept, not only correlations: they
decide between rivals in full precision, and an atom's length tells whether it depends on others.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from fmri_jax.arrays import einsum
from fmri_jax.linear.design import inner, power_of_two
from fmri_jax.linear.matching_pursuit.candidates_bf16 import (
    Dictionary,
    Proposal,
    choose,
    propose,
    upper_bound,
)
from fmri_jax.linear.matching_pursuit.candidates_gram import (
    Lookahead,
    add_column,
    propose_from,
    start_lookahead,
    worthwhile,
)


class _State(NamedTuple):
    step: jax.Array  # atoms that the targets still active have
    active: jax.Array  # (t,) bool
    residual: jax.Array  # (t, n)
    proposal: Proposal  # upper bounds (t, s) of |atom . residual|
    ahead: Lookahead | None  # Gram columns; None where proposals are bfloat16 products
    free: jax.Array  # (t, s) bool, atoms not in use
    basis: jax.Array  # (t, k, n) orthonormal rows spanning the atoms in use
    factor: jax.Array  # (t, k, k) upper triangular: atoms = factor^T basis
    along: jax.Array  # (t, k) target's components along the basis
    chosen: jax.Array  # (t, k) int32 feature of each atom, -1 where unused


def pursue(
    dictionary: Dictionary,
    targets: jax.Array,
    products: jax.Array,
    selected: jax.Array | None,
    atoms: int,
    tol: jax.Array | float,
    ahead: bool | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Chooses atoms and solves for their coefficients.

    Args:
        dictionary: the atoms.
        targets: (t, n) centred targets.
        products: (t, features) correlations of the targets with every atom.
        selected: (t, s) features that each target may use; None for all.
        atoms: most atoms per target.
        tol: squared residual norm at which a target stops; negative for never.
        ahead: whether to propose from Gram columns (`lookahead`) and not from bfloat16 products;
            by default where they are faster; never without `selected`. Both choose the same atoms.

    Returns:
        (indices (t, atoms), -1 where unused; values (t, atoms), 0 where unused).
    """
    # In units of their own, squares of very small or large targets neither vanish nor overflow.
    unit = power_of_two(jnp.max(jnp.abs(targets), axis=1))
    targets, products = targets / unit[:, None], products / unit[:, None]
    inverse = 1 / unit  # XLA would join two divisions to one by the square, which may be zero
    tol = tol * inverse * inverse
    size = jnp.sqrt(inner(targets, targets))
    if selected is not None:
        # Of equal bounds the first places are looked at: these should be the lowest features.
        selected = jnp.sort(selected, axis=1)
    start = _start(dictionary, targets, products, selected, atoms)
    if selected is not None and ahead is None:
        ahead = worthwhile(products.shape[1], selected.shape[1])
    if selected is not None and ahead:
        start = _with_columns(dictionary, start, products, selected, size)

    def one_step(state: _State) -> _State:
        state, place = _add_atom(dictionary, selected, state, size, tol)
        more = state.active & (state.step < atoms)
        if state.ahead is not None and selected is not None:
            known = add_column(dictionary, selected, state.ahead, place, state.step - 1, more)
            values = _coefficients(state)
            proposal = propose_from(dictionary, known, values, state.chosen, state.free, size)
            return state._replace(proposal=proposal, ahead=known)
        proposal = lax.cond(
            jnp.any(more),
            lambda: propose(dictionary, state.residual, state.free, selected),
            lambda: state.proposal,
        )
        return state._replace(proposal=proposal)

    end = lax.while_loop(lambda s: (s.step < atoms) & jnp.any(s.active), one_step, start)
    return end.chosen, jnp.where(end.chosen < 0, 0, _coefficients(end)) * unit[:, None]


def _start(
    dictionary: Dictionary,
    targets: jax.Array,
    products: jax.Array,
    selected: jax.Array | None,
    atoms: int,
) -> _State:
    t, n = targets.shape
    usable = products.shape[1] if selected is None else selected.shape[1]
    free = jnp.ones((t, usable), bool)
    return _State(
        step=jnp.int32(0),
        active=jnp.any(targets != 0, axis=1),
        residual=targets,
        proposal=upper_bound(dictionary, targets, products, free, selected),
        ahead=None,
        free=free,
        basis=jnp.zeros((t, atoms, n), targets.dtype),
        factor=jnp.broadcast_to(jnp.eye(atoms, dtype=targets.dtype), (t, atoms, atoms)),
        along=jnp.zeros((t, atoms), targets.dtype),
        chosen=jnp.full((t, atoms), -1, jnp.int32),
    )


def _with_columns(
    dictionary: Dictionary,
    state: _State,
    products: jax.Array,
    selected: jax.Array,
    size: jax.Array,
) -> _State:
    ahead = start_lookahead(dictionary, products, selected, state.chosen.shape[1])
    proposal = propose_from(dictionary, ahead, state.along, state.chosen, state.free, size)
    return state._replace(ahead=ahead, proposal=proposal)


def _add_atom(
    dictionary: Dictionary,
    selected: jax.Array | None,
    state: _State,
    size: jax.Array,
    tol: jax.Array | float,
) -> tuple[_State, jax.Array]:
    """One step: choose an atom, make it orthogonal to the basis, take it off the residual."""
    # Rounding leaves this much of an atom that depends on others, or of a residual that is zero.
    noise = 8 * jnp.finfo(size.dtype).eps
    place, feature, top = choose(
        dictionary, state.residual, state.proposal, selected, state.active, noise * size
    )
    atom = dictionary.features.rows[feature]
    norm = dictionary.norm[feature]
    atom, weights = _orthogonalise(atom, state.basis)
    length = jnp.sqrt(inner(atom, atom))
    accept = state.active & (top > noise * norm * size) & (length > noise * norm)
    direction = jnp.where(accept[:, None], atom / jnp.where(accept, length, 1)[:, None], 0)
    along = inner(direction, state.residual)
    residual = state.residual - along[:, None] * direction
    step, rows = state.step, jnp.arange(place.shape[0])
    column = jnp.where(accept[:, None], weights.at[:, step].set(length), state.factor[:, :, step])
    state = state._replace(
        step=step + 1,
        active=accept & (inner(residual, residual) > tol),
        residual=residual,
        free=state.free.at[rows, place].set(False),
        basis=state.basis.at[:, step].set(direction),
        factor=state.factor.at[:, :, step].set(column),
        along=state.along.at[:, step].set(along),
        chosen=state.chosen.at[:, step].set(jnp.where(accept, feature, -1)),
    )
    return state, place


def _coefficients(state: _State) -> jax.Array:
    """Coefficients (t, k) of the atoms chosen so far, 0 in unused places.

    By substitution, last atom first: for LAPACK's see `target_batches.for_solving`.
    """
    atoms = state.along.shape[1]

    def substitute(done: jax.Array, found: jax.Array) -> jax.Array:
        at = atoms - 1 - done
        row = state.factor[:, at]
        rest = state.along[:, at] - jnp.sum(row * found, axis=1)
        return found.at[:, at].set(rest / row[:, at])

    return lax.fori_loop(0, atoms, substitute, jnp.zeros_like(state.along))


def _orthogonalise(atoms: jax.Array, basis: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Classical Gram-Schmidt, a second time where much cancelled: twice is enough.

    The criterion and the name are Kahan's (Parlett 1980, section 6.9).

    Returns:
        (what is left of the atoms (t, n), their components along the basis (t, k)).
    """
    left, weights = _project_off(atoms, basis)
    cancelled = jnp.any(inner(left, left) < 0.5 * inner(atoms, atoms))

    def again() -> tuple[jax.Array, jax.Array]:
        less, more = _project_off(left, basis)
        return less, weights + more

    return lax.cond(cancelled, again, lambda: (left, weights))


def _project_off(atoms: jax.Array, basis: jax.Array) -> tuple[jax.Array, jax.Array]:
    weights = einsum("tkn,tn->tk", basis, atoms)
    part = einsum("tkn,tk->tn", basis, weights)
    return atoms - part, weights
