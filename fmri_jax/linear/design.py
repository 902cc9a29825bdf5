"""From what the caller gives to what the solvers work on: checked, centred, one row per feature.

A solver looks features up by number (an atom, a target's voxel subset). With one row per feature
such a look-up reads one contiguous stretch of memory, and `targets @ features.T` is the product
that CPUs and GPUs like best. Rows are padded with zeros to a multiple of `LANES` samples: after
centring a zero adds nothing to any inner product, and sums can be taken in two levels.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fmri_jax.errors import InputError

LANES = 32  # samples summed together before the second level of a sum
FAINT = 64  # a feature that varies by less than this many smallest normal numbers is constant


class Design(NamedTuple):
    """Centred (and possibly scaled) features.

    Attributes:
        rows: (features, padded samples), (x - mean) / scale.
        mean: (features,) over samples.
        scale: (features,); population standard deviation, or 1 where nothing is scaled.
    """

    rows: jax.Array
    mean: jax.Array
    scale: jax.Array


def check(X: Any, Y: Any, selected: Any = None) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Returns the arrays as floating point (and int32), or raises one message.

    Args:
        X: (samples, features).
        Y: (samples, targets).
        selected: (targets, k) features that each target may use; None for all.

    Raises:
        InputError: a wrong number of dimensions, NaN or infinity (not checked inside jit),
            differing sample or target counts, an index that is not an integer or is out of range
            (the range is not checked where `selected` is an array of JAX).
    """
    X, Y = _floating(X, "X"), _floating(Y, "Y")
    if X.shape[0] != Y.shape[0]:
        raise InputError(
            f"X has {X.shape[0]} samples and Y has {Y.shape[0]}: give one row of each for a trial."
        )
    if X.shape[0] < 2 or X.shape[1] < 1 or Y.shape[1] < 1:
        raise InputError(
            f"X is {X.shape} and Y is {Y.shape}: expected at least 2 samples, 1 feature, 1 target."
        )
    dtype = jnp.promote_types(X.dtype, Y.dtype)
    X, Y = X.astype(dtype), Y.astype(dtype)
    return X, Y, None if selected is None else _indices(selected, X.shape[1], Y.shape[1])


def _indices(selected: Any, features: int, targets: int) -> jax.Array:
    """Feature indices (targets, k) as int32, or one message."""
    if not isinstance(selected, jax.Array):
        try:
            selected = np.asarray(selected)
        except ValueError as ragged:
            raise InputError(
                "selected has rows of different lengths: expected as many feature indices of each "
                f"target; give an array ({targets}, k)."
            ) from ragged
    if selected.ndim != 2 or selected.shape[0] != targets or not selected.shape[1]:
        raise InputError(
            f"selected has shape {selected.shape}: expected ({targets}, k), "
            "the feature indices of each target."
        )
    expected = f"expected integer feature indices from 0 to {features - 1}."
    if selected.dtype.kind not in "iu":
        raise InputError(f"selected holds {selected.dtype} values: {expected}")
    # An array of JAX is not read: it may be traced, or on a device that is still computing it.
    if isinstance(selected, np.ndarray) and (selected.min() < 0 or selected.max() >= features):
        raise InputError(
            f"selected holds values from {selected.min()} to {selected.max()}: {expected}"
        )
    return jnp.asarray(selected, jnp.int32)


def check_alpha(alpha: Any, Y: jax.Array) -> jax.Array:
    """Ridge penalties as (targets,), or one message."""
    if np.ndim(alpha) > 0 and np.shape(alpha) != Y.shape[1:]:
        raise InputError(
            f"alpha has shape {np.shape(alpha)}: expected one number or ({Y.shape[1]},)."
        )
    if not isinstance(alpha, jax.core.Tracer):
        least, most = float(np.min(alpha)), float(np.max(alpha))
        precision = jnp.finfo(Y.dtype)
        if not float(precision.tiny) <= least <= most <= float(precision.max):
            raise InputError(
                f"alpha goes from {least} to {most}: expected positive penalties, finite and not "
                f"zero in {Y.dtype}; use least_squares for none."
            )
    return jnp.broadcast_to(jnp.asarray(alpha, Y.dtype), Y.shape[1:])


def _floating(values: Any, name: str) -> jax.Array:
    values = jnp.asarray(values)
    if values.ndim != 2:
        kind = "features" if name == "X" else "targets"
        raise InputError(f"{name} has shape {values.shape}: expected (samples, {kind}).")
    if jnp.issubdtype(values.dtype, jnp.complexfloating):
        raise InputError(f"{name} is complex: expected real numbers.")
    if values.dtype not in (jnp.float32, jnp.float64):
        values = values.astype(jnp.float32)
    if not isinstance(values, jax.core.Tracer) and not _is_finite(values):
        wrong = np.argwhere(~np.isfinite(np.asarray(values)))
        raise InputError(
            f"{name} holds {len(wrong)} NaN or infinite numbers in {values.dtype}, the first in "
            f"row {wrong[0][0]}, column {wrong[0][1]}: expected finite numbers; leave out or fill "
            "in the rows or columns concerned."
        )
    return values


def _is_finite(values: jax.Array) -> bool:
    """Whether all numbers are finite, read where they lie."""
    if any(device.platform != "cpu" for device in values.devices()):
        return bool(jnp.all(jnp.isfinite(values)))
    return bool(np.all(np.isfinite(np.asarray(values))))  # compiles nothing, copies nothing


def design(X: jax.Array, standardise: bool, one_unit: bool = False) -> Design:
    """Centres the features (samples, features), divides by their deviation if asked for.

    A constant feature becomes a row of zeros with scale 1, as scikit-learn's `StandardScaler` has
    it: `max - min` within rounding of zero, because a variance of rounding errors is not zero. So
    does a feature whose deviations float32 (float64) can hardly hold.

    Args:
        X: (samples, features).
        standardise: whether features are divided by their deviations.
        one_unit: whether the others are divided by one power of two, so that squares of very small
            or large ones neither vanish nor overflow.
    """
    mean, centred = _centre(X)
    precision = jnp.finfo(X.dtype)
    spread = jnp.max(X, axis=0) - jnp.min(X, axis=0)
    rounding = 4 * precision.eps * jnp.max(jnp.abs(X), axis=0)
    constant = spread <= jnp.maximum(rounding, FAINT * precision.tiny)
    scale = jnp.ones_like(mean)
    if standardise:
        unit = power_of_two(jnp.where(constant, 1, spread))
        deviation = unit * jnp.sqrt(jnp.mean(jnp.square(centred / unit), axis=0))
        scale = jnp.where(constant, 1, deviation)
    elif one_unit:
        scale *= power_of_two(jnp.max(jnp.where(constant, 0, spread)))
    rows = jnp.where(constant[:, None], 0, (centred / scale).T)
    return Design(pad_samples(rows), mean, scale)


def power_of_two(sizes: jax.Array) -> jax.Array:
    """The power of two next to each size, 1 for 0 and infinity: dividing by it rounds nothing."""
    precision = jnp.finfo(sizes.dtype)
    exponent = jnp.clip(jnp.frexp(sizes)[1], precision.minexp, precision.maxexp - 1)
    power = jnp.ldexp(jnp.ones_like(sizes), exponent)
    return jnp.where((sizes > 0) & jnp.isfinite(sizes), power, 1)


def centre_targets(Y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Targets (samples, targets) as centred rows (targets, padded samples), and their means.

    A constant target becomes exactly zero, so that no solver explains rounding errors.
    """
    mean, centred = _centre(Y)
    constant = jnp.max(Y, axis=0) == jnp.min(Y, axis=0)
    return pad_samples(jnp.where(constant[:, None], 0, centred.T)), mean


def _centre(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean over samples and what is left, the mean corrected once for its own rounding."""
    mean = jnp.mean(values, axis=0)
    mean = mean + jnp.mean(values - mean, axis=0)
    return mean, values - mean


def pad_samples(rows: jax.Array) -> jax.Array:
    """Appends zeros to the last axis up to a multiple of `LANES`."""
    return jnp.pad(rows, ((0, 0), (0, -rows.shape[1] % LANES)))


def inner(a: jax.Array, b: jax.Array) -> jax.Array:
    """Inner products over the last (padded) axis, summed in two levels.

    The rounding error grows with sqrt(LANES) + sqrt(n / LANES) instead of sqrt(n): at 1,320 samples
    about five times smaller than that of a plain float32 matrix product.
    """
    products = a * b
    shape = products.shape[:-1] + (products.shape[-1] // LANES, LANES)
    return jnp.sum(jnp.sum(products.reshape(shape), axis=-1), axis=-1)


def original_units(design_: Design, y_mean: jax.Array, indices: jax.Array, values: jax.Array):
    """Coefficients of `rows` as (values, intercept) for the features as they were given.

    Args:
        design_: the design that the coefficients belong to.
        y_mean: (targets,).
        indices: (targets, k) features, -1 where unused.
        values: (targets, k) coefficients of the design's rows.
    """
    places = jnp.maximum(indices, 0)
    values = values / design_.scale[places]
    return values, y_mean - jnp.sum(values * design_.mean[places], axis=1)
