"""Operations of networks against closed forms."""

import flax.linen as nn
import pytest

from fmri_jax.training import operations


class TwoLayers(nn.Module):
    """A convolution of 3 x 3 with 4 channels, and a dense layer of 5 units."""

    @nn.compact
    def __call__(self, x, double):
        x = nn.Conv(4, (3, 3), padding="VALID", use_bias=False)(x)
        return nn.Dense(5)(x.reshape(len(x), -1)) * (2 if double else 1)


def test_operations_and_parameters_of_a_network():
    """Per output number of the convolution 2 x 3 x 3 x 2, of the dense layer 2 x 144 and a bias."""
    found = operations.of_network(TwoLayers(), (8, 8, 2), False)
    assert found.parameters == 3 * 3 * 2 * 4 + 144 * 5 + 5
    assert found.operations == pytest.approx(144 * 36 + 5 * (2 * 144 + 1), rel=0.01)


def test_the_speed_is_that_of_a_computer():
    assert 1e7 < operations.per_second() < 1e16
