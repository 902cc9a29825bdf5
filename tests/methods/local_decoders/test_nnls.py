"""Non-negative least squares against SciPy's active-set method."""

import numpy as np
import pytest
from scipy import optimize

from fmri_jax.errors import InputError
from fmri_jax.methods.local_decoders.nnls import nnls


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_a_batch_of_problems_equals_scipy(correlation):
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((6, 40, 1))
    design = (1 - correlation) * rng.standard_normal((6, 40, 9)) + correlation * shared
    target = rng.standard_normal((6, 40)) + design[..., 0]
    gram, products = (
        np.einsum("bnk,bnl->bkl", design, design),
        np.einsum("bnk,bn->bk", design, target),
    )
    ours = np.asarray(nnls(gram.astype(np.float32), products.astype(np.float32)))
    assert (ours >= 0).all()
    for a, b, x in zip(design, target, ours, strict=True):
        expected, residual = optimize.nnls(a, b)
        np.testing.assert_allclose(x, expected, atol=2e-3)
        assert np.linalg.norm(a @ x - b) <= residual * (1 + 1e-4)


def test_an_unknown_that_nothing_depends_on_stays_zero():
    gram = np.diag([2.0, 0.0, 1.0]).astype(np.float32)
    solved = nnls(gram, np.array([1.0, 0.0, -3.0], np.float32))
    np.testing.assert_allclose(solved, [0.5, 0, 0], atol=1e-5)


def test_nothing_to_explain_gives_zeros():
    assert not np.asarray(nnls(np.eye(4, dtype=np.float32), np.zeros(4, np.float32))).any()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="expected"):
        nnls(np.eye(3), np.ones(4))
