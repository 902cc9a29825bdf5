"""Our rectifiers equal Flax's, with the gradients, at zero and in bfloat16, too."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fmri_jax.networks.activations import leaky_relu, relu

PAIRS = {
    "relu": (relu, nn.relu),
    "leaky_relu": (lambda x: leaky_relu(x, 0.3), lambda x: nn.leaky_relu(x, 0.3)),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", PAIRS)
def test_output_and_gradient_equal_flaxs(name, dtype):
    numbers = np.random.default_rng(0).normal(size=(50, 7))
    numbers[:3] = 0.0
    x, g = (jnp.asarray(a, dtype) for a in (numbers, numbers[::-1]))
    (ours, our_pull), (theirs, their_pull) = (jax.vjp(f, x) for f in PAIRS[name])
    assert ours.dtype == x.dtype
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(our_pull(g)[0], their_pull(g)[0])


@pytest.mark.parametrize("name", PAIRS)
def test_the_gradient_keeps_the_result_alone(name):
    """Else a library that rectifies on the way out would have to write the argument, too."""
    _, pull = jax.vjp(PAIRS[name][0], jnp.arange(-4.0, 4.0))
    (kept,) = jax.tree.leaves(pull)
    np.testing.assert_array_equal(kept, PAIRS[name][0](jnp.arange(-4.0, 4.0)))
