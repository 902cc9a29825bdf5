"""The norm of a gradient against Optax and NumPy."""

import jax
import numpy as np
import optax
import pytest

from fmri_jax.training.gradients import gradient_norm


@pytest.mark.parametrize(
    "shapes", [((),), ((3,),), ((97, 33), (33,)), ((2, 2, 5, 7), (40, 3), (), (1, 1))]
)
def test_norm_over_all_leaves(shapes):
    rng = np.random.default_rng(0)
    tree = {str(i): rng.standard_normal(shape, np.float32) for i, shape in enumerate(shapes)}
    found = jax.jit(gradient_norm)(tree)
    assert found.shape == ()
    exact = np.sqrt(sum(np.square(leaf.astype(np.float64)).sum() for leaf in tree.values()))
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    np.testing.assert_allclose(found, optax.global_norm(tree), rtol=1e-6)


def test_norm_of_many_numbers_is_not_rounded_away():
    tree = [np.full((3001, 1031), 0.1, np.float32), np.float32([30.0])]
    exact = np.sqrt(3001 * 1031 * np.float64(np.float32(0.1)) ** 2 + 900)
    np.testing.assert_allclose(jax.jit(gradient_norm)(tree), exact, rtol=1e-5)
