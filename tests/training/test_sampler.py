import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from fmri_jax.training.shuffle import shuffled


def orders(n: int, n_orders: int) -> np.ndarray:
    """(n_orders, n): whole orders, each under a key of its own."""
    keys = jax.random.split(jax.random.key(7), n_orders)
    return np.asarray(jax.jit(jax.vmap(lambda key: shuffled(key, jnp.arange(n), n)))(keys))


@pytest.mark.parametrize("n", [1, 2, 5, 64, 65, 1000])
def test_every_thing_stands_at_one_position(n: int) -> None:
    made = orders(n, 20)
    np.testing.assert_array_equal(np.sort(made, axis=1), np.tile(np.arange(n), (20, 1)))
    if n >= 64:
        assert len({tuple(order) for order in made}) == 20


def test_orders_of_four_things_are_all_equally_likely() -> None:
    _, counts = np.unique(orders(4, 2400), axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_thing_stands_anywhere_and_neighbours_are_unrelated() -> None:
    made = orders(37, 2000)
    for column in (0, 20, 36):
        assert stats.chisquare(np.bincount(made[:, column], minlength=37)).pvalue > 1e-3
    steps = np.bincount((made[:, 1] - made[:, 0]) % 37, minlength=37)[1:]
    assert stats.chisquare(steps).pvalue > 1e-3


def test_positions_of_several_orders_are_looked_up_together() -> None:
    keys = jax.random.split(jax.random.key(7), 20)
    whole = orders(65, 20)
    position = jnp.asarray([0, 64, 3, 3])
    np.testing.assert_array_equal(
        shuffled(keys[jnp.asarray([0, 0, 5, 19])], position, 65),
        whole[[0, 0, 5, 19], np.asarray(position)],
    )
