"""What the tests of layers share: random arrays, and how outputs and gradients are compared."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.networks import peers
from tests.peers import peer

torch = peer("torch")


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def close(found, expected, tolerance: float = 2e-5) -> None:
    expected = np.asarray(expected)
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=tolerance * scale)


def output_and_gradients(function, x, kernel, seed=9):
    """The output, and the gradients of its inner product with a random array."""
    direction = random(seed, *jax.eval_shape(function, x, kernel).shape)

    @jax.jit
    def both(x, kernel, direction):
        y, vjp = jax.vjp(function, x, kernel)
        return y, *vjp(direction)

    return *both(x, kernel, direction), direction


def torch_output_and_gradients(function, x, kernel, direction, *static):
    x, kernel = peers.to_torch(x, gradient=True), torch.tensor(kernel, requires_grad=True)
    y = function(x, kernel, *static)
    x_gradient, kernel_gradient = torch.autograd.grad(y, (x, kernel), peers.to_torch(direction))
    return peers.from_torch(y), peers.from_torch(x_gradient), kernel_gradient.numpy()


def gradients_of_squares(layer):
    """The gradients of the sum of the squares of a layer's output."""
    return jax.grad(lambda x, kernel: jnp.sum(jnp.square(layer(x, kernel))), argnums=(0, 1))


def agree_when_split(gradients, x, kernel):
    """With the batch split over four devices, the same as on one."""
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.device_put(x, jax.NamedSharding(mesh, jax.P("data")))
    whole = jax.device_put(kernel, jax.NamedSharding(mesh, jax.P()))
    run = jax.jit(gradients)
    for found, expected in zip(run(split, whole), run(x, kernel), strict=True):
        close(found, expected)
