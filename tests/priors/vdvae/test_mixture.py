"""Mixtures of logistic distributions against SciPy's, level by level."""

import jax
import numpy as np
import pytest
from scipy import special, stats

from fmri_jax.priors.vdvae import mixture
from tests.networks.conv.layer_checks import random

M = 3


def probability(parameters: np.ndarray, levels: np.ndarray) -> float:
    """Of one pixel's three levels (0 to 255), by the formula, in float64."""
    logits, rest = parameters[:M], parameters[M:].reshape(3, 3, M).astype(float)
    x = levels / 127.5 - 1
    total = 0.0
    for m, weight in enumerate(special.softmax(logits.astype(float))):
        r_to_g, r_to_b, g_to_b = np.tanh(rest[:, 2, m])
        means = rest[:, 0, m] + [0, r_to_g * x[0], r_to_b * x[0] + g_to_b * x[1]]
        scales = np.exp(np.maximum(rest[:, 1, m], -7))
        low = np.where(levels == 0, -np.inf, x - 1 / 255)
        high = np.where(levels == 255, np.inf, x + 1 / 255)
        of_levels = stats.logistic.cdf(high, means, scales) - stats.logistic.cdf(low, means, scales)
        total += weight * of_levels.prod()
    return total


def parameters(seed: int, *shape: int) -> np.ndarray:
    drawn = random(seed, *shape, 10 * M)
    rest = drawn[..., M:].reshape(*shape, 3, 3, M)
    rest[..., 1, :] -= 2  # scales as of images
    return drawn


@pytest.mark.parametrize("levels", [(0, 255, 128), (255, 0, 0), (3, 77, 201), (254, 1, 90)])
def test_likelihood_is_the_product_of_differences_of_the_distribution(levels) -> None:
    levels = np.array(levels)
    for seed in range(5):
        given = parameters(seed)
        found = mixture.log_likelihood(given, np.float32(levels / 127.5 - 1))
        assert float(found) == pytest.approx(np.log(probability(given, levels)), abs=2e-3)


def test_levels_have_probability_one_in_all() -> None:
    """Over all of blue, with red and green given: the share that they have of it."""
    given = parameters(9)
    levels = np.stack([np.full(256, 40), np.full(256, 200), np.arange(256)], axis=1)
    x = np.float32(levels / 127.5 - 1)
    found = np.exp(mixture.log_likelihood(np.tile(given, (256, 1)), x)).sum()
    by_hand = sum(probability(given, row) for row in levels)
    assert found == pytest.approx(by_hand, rel=1e-4)


def test_an_unlikely_level_has_a_finite_likelihood_and_gradient() -> None:
    given = parameters(3)
    given[M:].reshape(3, 3, M)[:, 1] = -20  # narrower than allowed
    x = np.float32([0.9, -0.9, 0.1])
    value, slope = jax.value_and_grad(mixture.log_likelihood)(given, x)
    assert np.isfinite(value) and np.isfinite(slope).all()


def test_the_mean_of_many_draws_is_the_expected_value() -> None:
    given = parameters(4)
    given[M:].reshape(3, 3, M)[:, 0] *= 0.1
    given[M:].reshape(3, 3, M)[:, 1] -= 1.5  # so that hardly any draw is clipped
    draws = mixture.sample(np.tile(given, (40_000, 1)), jax.random.key(0))
    assert np.abs(draws).max() <= 1
    assert np.allclose(draws.mean(axis=0), mixture.expected(given), atol=0.01)


def test_draws_have_the_distribution_of_their_likelihood() -> None:
    given = parameters(5)
    red = np.asarray(mixture.sample(np.tile(given, (40_000, 1)), jax.random.key(1)))[:, 0]
    unpacked = mixture.unpack(given)
    weights = special.softmax(np.asarray(unpacked.logits))
    for limit in (-0.5, 0.0, 0.4):
        share = stats.logistic.cdf(
            limit, np.asarray(unpacked.means)[0], np.exp(np.asarray(unpacked.log_scales)[0])
        )
        assert (red <= limit).mean() == pytest.approx(weights @ share, abs=0.01)
