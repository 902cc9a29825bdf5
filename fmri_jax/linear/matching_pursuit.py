"""Orthogonal matching pursuit of all targets at once.

Each step takes, for every target, the feature (atom) that correlates most with the target's
residual, and projects the residual off it (Mallat & Zhang 1993; Pati et al. 1993).

Where the time goes, at the size of nilearn's Miyawaki example (n = 1,320 trials, p = 5,438 voxels,
t = 361 targets, 500 voxels a target, 10 atoms):

- correlations as one product (t, n) x (n, p) a step: 5.2 GFLOP, and the voxels' 29 MB are read once
  for all targets. The first product also is the F-test, the last step needs none: 52 GFLOP in all;
- correlations with only the 500 chosen voxels of a target: 0.48 GFLOP a step, but 361 matrix-vector
  products that read 953 MB; at a cache bandwidth of 40 GB/s as long as the product takes, and the
  gathered matrices have to be written first;
- columns of the Gram matrix: X^T X is 78 GFLOP before the first step.

So the product it is, and its cost is FLOPs: `proposals` halves it without changing any choice.

Two atoms whose correlations agree to about 2e-7 of |atom| |residual| (float32; 4e-16 in float64)
are a tie that rounding decides; of exact duplicates the lower index is taken.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh

from fmri_jax.errors import InputError
from fmri_jax.linear.blocks import block_size, map_targets
from fmri_jax.linear.design import (
    centre_targets,
    check,
    design,
    inner,
    original_units,
)
from fmri_jax.linear.lookahead import (
    Lookahead,
    add_column,
    propose_from,
    start_lookahead,
    worthwhile,
)
from fmri_jax.linear.model import LinearModel, SparseLinearModel
from fmri_jax.linear.proposals import (
    CANDIDATES,
    Dictionary,
    Proposal,
    choose,
    dictionary_of,
    propose,
    upper_bound,
)
from fmri_jax.linear.selection import correlate


def omp(
    X: Any,
    Y: Any,
    n_nonzero: int | None = None,
    tol: float | None = None,
    selected: Any = None,
    *,
    block: int | None = None,
    mesh: Mesh | None = None,
) -> LinearModel:
    """Orthogonal matching pursuit with intercept, as scikit-learn's `OrthogonalMatchingPursuit`.

    Args:
        X: (samples, features); centred here, not scaled.
        Y: (samples, targets).
        n_nonzero: atoms a target; by default a tenth of the features (at least one), or as many
            as it takes where `tol` is given.
        tol: stop a target once its squared residual norm is at most this.
        selected: (targets, k) features that each target may use; None for all.
        block: targets solved together; by default as many as half a GiB holds.
        mesh: mesh with an axis 'data' that the targets are dealt over; None for one device.

    Returns:
        `coef` (features, targets) and `intercept` (targets,). A target stops early where nothing
        correlates with its residual or the best atom depends on those it has.

    Raises:
        InputError: arrays that do not fit each other, n_nonzero below 1, a negative tol.
    """
    model = omp_sparse(X, Y, n_nonzero, tol, selected, block=block, mesh=mesh)
    return model.dense(jnp.shape(X)[1])


def omp_sparse(
    X: Any,
    Y: Any,
    n_nonzero: int | None = None,
    tol: float | None = None,
    selected: Any = None,
    *,
    block: int | None = None,
    mesh: Mesh | None = None,
) -> SparseLinearModel:
    """`omp` with its coefficients as (indices, values, intercept); the atoms in order of choice."""
    X, Y, selected = check(X, Y, selected)
    if n_nonzero is not None and n_nonzero < 1:
        raise InputError(f"n_nonzero is {n_nonzero}: expected at least 1 atom a target.")
    if tol is not None and tol < 0:
        raise InputError(f"tol is {tol}: expected a squared residual norm, 0 or more.")
    atoms = atom_count(X.shape, selected, n_nonzero, tol)
    block = block_size(Y.shape[1], omp_bytes(X.shape, atoms), block)
    return _omp(X, Y, selected, -1.0 if tol is None else tol, atoms=atoms, block=block, mesh=mesh)


def atom_count(
    shape: tuple[int, ...], selected: jax.Array | None, n_nonzero: int | None, tol: float | None
) -> int:
    """Atoms to make room for: what was asked for, and never more than a basis can have."""
    samples, features = shape
    usable = features if selected is None else selected.shape[1]
    if n_nonzero is None:
        n_nonzero = max(usable // 10, 1) if tol is None else usable
    return max(1, min(n_nonzero, usable, samples - 1))


def omp_bytes(shape: tuple[int, ...], atoms: int) -> int:
    """Working memory of one target: correlations, candidates, basis and triangular factor."""
    samples, features = shape
    return 4 * (6 * features + (2 * CANDIDATES + atoms + 8) * samples + 2 * atoms**2)


@functools.partial(jax.jit, static_argnames=("atoms", "block", "mesh"))
def _omp(X, Y, selected, tol, *, atoms: int, block: int, mesh: Mesh | None) -> SparseLinearModel:
    features = design(X, standardise=False)
    targets, y_mean = centre_targets(Y)

    def solve(shared, mine):
        dictionary, tol = shared
        own, own_selected = mine
        products = correlate(own, dictionary.features)
        return pursue(dictionary, own, products, own_selected, atoms, tol)

    shared = (dictionary_of(features), tol)
    indices, values = map_targets(solve, shared, (targets, selected), block, mesh)
    return SparseLinearModel(indices, *original_units(features, y_mean, indices, values))


class _State(NamedTuple):
    step: jax.Array  # atoms that the targets still active have
    active: jax.Array  # (t,) bool
    residual: jax.Array  # (t, n)
    proposal: Proposal  # upper bounds (t, s) of |atom . residual|
    ahead: Lookahead | None  # what a proposal without a product over all features takes
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
    look_ahead: bool | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Chooses atoms and solves for their coefficients.

    Args:
        dictionary: the atoms.
        targets: (t, n) centred targets.
        products: (t, features) correlations of the targets with every atom.
        selected: (t, s) features that each target may use; None for all.
        atoms: most atoms a target.
        tol: squared residual norm at which a target stops; negative for never.

    Returns:
        (indices (t, atoms), -1 where unused; values (t, atoms), 0 where unused).
    """
    t, n = targets.shape
    dtype = targets.dtype
    usable = products.shape[1] if selected is None else selected.shape[1]
    free = jnp.ones((t, usable), bool)
    if look_ahead is None:
        look_ahead = worthwhile(products.shape[1], usable)
    size = jnp.sqrt(inner(targets, targets))
    along, chosen = jnp.zeros((t, atoms), dtype), jnp.full((t, atoms), -1, jnp.int32)
    if look_ahead and selected is not None:
        ahead = start_lookahead(dictionary, products, selected, atoms)
        proposal = propose_from(dictionary, ahead, along, chosen, free, size)
    else:
        ahead, proposal = None, upper_bound(dictionary, targets, products, free, selected)
    start = _State(
        step=jnp.int32(0),
        active=jnp.any(targets != 0, axis=1),
        residual=targets,
        proposal=proposal,
        ahead=ahead,
        free=free,
        basis=jnp.zeros((t, atoms, n), dtype),
        factor=jnp.broadcast_to(jnp.eye(atoms, dtype=dtype), (t, atoms, atoms)),
        along=along,
        chosen=chosen,
    )

    def one_step(state: _State) -> _State:
        state, place = _add_atom(dictionary, selected, state, size, tol)
        more = state.active & (state.step < atoms)
        if state.ahead is not None and selected is not None:
            ahead = add_column(dictionary, selected, state.ahead, place, state.step - 1, more)
            weights = _coefficients(state.factor, state.along)
            proposal = propose_from(dictionary, ahead, weights, state.chosen, state.free, size)
            return state._replace(proposal=proposal, ahead=ahead)
        proposal = lax.cond(
            jnp.any(more),
            lambda: propose(dictionary, state.residual, state.free, selected),
            lambda: state.proposal,
        )
        return state._replace(proposal=proposal)

    end = lax.while_loop(lambda s: (s.step < atoms) & jnp.any(s.active), one_step, start)
    values = _coefficients(end.factor, end.along)
    return end.chosen, jnp.where(end.chosen < 0, 0, values)


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


def _coefficients(factor: jax.Array, along: jax.Array) -> jax.Array:
    return lax.linalg.triangular_solve(factor, along[..., None], left_side=True)[..., 0]


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
    weights = jnp.einsum("tkn,tn->tk", basis, atoms, precision=lax.Precision.HIGHEST)
    part = jnp.einsum("tkn,tk->tn", basis, weights, precision=lax.Precision.HIGHEST)
    return atoms - part, weights
