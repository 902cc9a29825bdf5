"""The exact error of ridge regression on what was left out, for groups of rows and any penalty.

One decomposition of the design serves all penalties. Of the targets only their second moment is
needed, so that millions of them cost no more than a few once it is summed.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.arrays import matmul


def left_out_error(
    left: jax.Array,
    variance: jax.Array,
    groups: jax.Array,
    spread: jax.Array,
    moment: jax.Array,
) -> Callable[[jax.Array], jax.Array]:
    """Penalty -> summed squared error of rows that are predicted without those of their group.

    Args:
        left: as for `left_out_residuals`, and so are `variance`, `groups` and `spread`.
        variance: (components,).
        groups: (groups, most rows of one).
        spread: (n, s).
        moment: (s, s) Y @ Y.T.
    """
    residuals = left_out_residuals(left, variance, groups, spread)

    def error(alpha: jax.Array) -> jax.Array:
        left_out = residuals(alpha)
        return jnp.sum(matmul(left_out, moment) * left_out)

    return error


def left_out_residuals(
    left: jax.Array, variance: jax.Array, groups: jax.Array, spread: jax.Array
) -> Callable[[jax.Array], jax.Array]:
    """Penalty -> what is missed of rows that are predicted without those of their group.

    With the residuals e of all rows and the hat matrix H, those of a left-out group g are
    (I - H_gg)^-1 e_g. Ridge leaves of y all that is outside the components, and inside of them the
    share alpha / (variance + alpha). Summing what is left, not 1 minus what is explained, keeps
    float32 exact where nearly everything is explained.

    Args:
        left: (n, components) left singular vectors of the centred design.
        variance: (components,) squared singular values.
        groups: (groups, most rows of one) rows that are left out together, -1 where it has no more.
        spread: (n, s) centred rows; the targets of the rows are spread @ Y for any Y (s, targets).
            Each row's own: the identity less 1 / n.

    Returns:
        A function of alpha that gives (groups x most rows of one, s), zeros for rows that a group
        has not: the residuals of the rows of `groups` in turn are this times Y.

    References:
        Allen (1974), Technometrics 16:125; groups: Cook & Weisberg (1982), Residuals and Influence
        in Regression, section 3.6.
    """
    n, components = left.shape
    slack = 1e-6 if left.dtype == jnp.float32 else 1e-12
    along = matmul(left.T, spread)
    complete = n == components  # then nothing is outside
    outside = 0 if complete else spread - matmul(left, along)

    def remaining(rows: jax.Array, rest: jax.Array) -> jax.Array:
        """I - H_gg of a group."""
        used = rows >= 0
        own, inside = (jnp.where(used[:, None], values[rows], 0) for values in (left, rest))
        unit, both = jnp.eye(len(rows), dtype=left.dtype), used[:, None] & used
        # Rounding must not make this singular, nor do the places that a small group leaves empty.
        found = matmul(inside, own.T) - both / n + unit * jnp.where(used, slack, 1)
        return found if complete else found + jnp.where(both, unit, 0) - matmul(own, own.T)

    def residuals(alpha: jax.Array) -> jax.Array:
        rest = left * (alpha / (variance + alpha))
        residual = matmul(rest, along) + outside
        if groups.shape[1] == 1:  # each row by itself, without a system for each
            own = jnp.sum(rest * left, axis=1) + slack - 1 / n
            own = own if complete else own + (1 - jnp.sum(left * left, axis=1))
            return (residual / own[:, None])[groups[:, 0]]

        def of_group(rows: jax.Array) -> jax.Array:
            own = jnp.where(rows[:, None] >= 0, residual[rows], 0)
            return jnp.linalg.solve(remaining(rows, rest), own)

        together = min(max(1, 256 // groups.shape[1]), len(groups))
        # Filled up: what a loop leaves over were a second batch of LAPACK's (`for_solving`).
        empty = ((0, -len(groups) % together), (0, 0))
        filled = jnp.pad(groups, empty, constant_values=-1)
        found = jax.lax.map(of_group, filled, batch_size=together)[: len(groups)]
        return found.reshape(-1, spread.shape[1])

    return residuals


def left_out_identification(
    groups: jax.Array, moment: jax.Array
) -> Callable[[jax.Array], jax.Array]:
    """Residuals of left-out rows -> pairwise identification of the groups by their predictions.

    What a left-out row's prediction adds to the mean target of the others is laid upon the mean of
    all groups, and correlated with the targets of all: the share of groups that correlate less than
    the own one, averaged over rows. On the mean of the others it would be compared with the one
    target that this mean lacks (`evaluation.without_mean`); test images have no such mean.

    Args:
        groups: (groups, most rows of one), as for `left_out_residuals`; rows of one group have the
            same target.
        moment: (n, n) Y @ Y.T of the targets of the rows, each about its own mean.

    Returns:
        A function of what `left_out_residuals` gives where `spread` is each row's own.
    """
    n, rows = len(moment), groups.reshape(-1)
    used, group = rows >= 0, jnp.repeat(jnp.arange(len(groups)), groups.shape[1])
    own = jnp.where(used[:, None], rows[:, None] == jnp.arange(n), False).astype(moment.dtype)
    inside = jnp.sum(own.reshape(*groups.shape, n), axis=1)
    sizes = jnp.sum(inside, axis=1, keepdims=True)
    means, everyone = (
        (1 - inside) / (n - sizes),
        jnp.mean(inside / sizes, axis=0),
    )  # weights of rows
    first = groups[:, 0]
    lengths = jnp.diagonal(moment)[first]
    scale = jax.lax.rsqrt(jnp.maximum(lengths, 1e-12 * jnp.max(lengths)))

    def identified(residuals: jax.Array) -> jax.Array:
        added = own - means[group] - residuals  # weights of the rows in each answer
        found = matmul(added + everyone, moment[:, first]) * scale
        wins = found[jnp.arange(len(rows)), group][:, None] - found
        # A compiled program may round the own one otherwise at its two places.
        wins = jnp.where(group[:, None] == jnp.arange(len(groups)), 0, wins)
        share = (jnp.sum(jnp.sign(wins), axis=1) / (len(groups) - 1) + 1) / 2
        return jnp.sum(jnp.where(used, share, 0)) / jnp.sum(used)

    return identified


def decompose(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Left vectors, squared singular values, right vectors of x, from its smaller Gram matrix."""
    rows, columns = x.shape
    small = x if rows <= columns else x.T
    variance, vectors = jnp.linalg.eigh(matmul(small, small.T))
    kept = variance > 16 * jnp.finfo(x.dtype).eps * variance[-1]  # the rest is rounding
    variance = jnp.where(kept, variance, 0)
    scale = jnp.where(kept, 1 / jnp.sqrt(jnp.where(kept, variance, 1)), 0)
    others = matmul(small.T, vectors) * scale
    return (vectors, variance, others) if rows <= columns else (others, variance, vectors)


def rows_by_stimulus(stimulus: np.ndarray) -> np.ndarray:
    """Finds the rows of each stimulus.

    Args:
        stimulus: (rows,).

    Returns:
        (stimuli, most rows of one) int32 in rising order of stimulus, -1 where it has no more.
    """
    _, group, trials = np.unique(stimulus, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    places = np.arange(len(group)) - np.repeat(np.cumsum(trials) - trials, trials)
    rows = np.full((len(trials), trials.max()), -1, np.int32)
    rows[group[order], places] = order
    return rows
