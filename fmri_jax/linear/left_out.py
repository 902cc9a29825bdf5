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
        moment: (s, s) Y @ Y.T.

    References:
        Allen (1974), Technometrics 16:125; groups: Cook & Weisberg (1982), Residuals and Influence
        in Regression, section 3.6.
    """
    n, components = left.shape
    along = matmul(left.T, spread)
    complete = n == components  # then nothing is outside
    outside = 0 if complete else spread - matmul(left, along)

    def remaining(rows: jax.Array, rest: jax.Array) -> jax.Array:
        """I - H_gg of a group."""
        used = rows >= 0
        own, inside = (jnp.where(used[:, None], values[rows], 0) for values in (left, rest))
        unit, both = jnp.eye(len(rows), dtype=left.dtype), used[:, None] & used
        # Rounding must not make this singular, nor do the places that a small group leaves empty.
        found = matmul(inside, own.T) - both / n + unit * jnp.where(used, 1e-6, 1)
        return found if complete else found + jnp.where(both, unit, 0) - matmul(own, own.T)

    def error(alpha: jax.Array) -> jax.Array:
        rest = left * (alpha / (variance + alpha))
        residual = matmul(rest, along) + outside

        def of_group(rows: jax.Array) -> jax.Array:
            own = jnp.where(rows[:, None] >= 0, residual[rows], 0)
            return jnp.linalg.solve(remaining(rows, rest), own)

        together = max(1, 256 // groups.shape[1])
        left_out = jax.lax.map(of_group, groups, batch_size=together).reshape(-1, len(moment))
        return jnp.sum(matmul(left_out, moment) * left_out)

    return error


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
