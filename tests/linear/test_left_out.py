"""Residuals of rows that are left out one by one, by a system for each and without."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fmri_jax.linear import left_out


@pytest.mark.parametrize("voxels", [5, 30], ids=["fewer voxels", "more voxels"])
def test_single_rows_are_left_out_as_scikit_learn_would(voxels):
    rng = np.random.default_rng(0)
    n, alpha = 12, 3.0
    x = rng.standard_normal((n, voxels)).astype(np.float32)
    y = rng.standard_normal((n, 4)).astype(np.float32)
    left, variance, _ = left_out.decompose(jnp.asarray(x - x.mean(axis=0)))
    spread = jnp.eye(n) - 1 / n
    order = rng.permutation(n).astype(np.int32)
    alone, padded = order[:, None], np.stack([order, np.full(n, -1, np.int32)], axis=1)
    found = left_out.left_out_residuals(left, variance, jnp.asarray(alone), spread)(alpha) @ y
    missed = []
    for row in order:
        others = np.arange(n) != row
        fitted = Ridge(alpha=alpha).fit(x[others], y[others])
        missed.append(y[row] - fitted.predict(x[[row]])[0])
    np.testing.assert_allclose(found, missed, rtol=1e-3, atol=1e-4)
    solved = left_out.left_out_residuals(left, variance, jnp.asarray(padded), spread)(alpha) @ y
    np.testing.assert_allclose(found, solved[::2], rtol=1e-4, atol=1e-5)
