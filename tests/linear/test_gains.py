"""Gains of what ridge shrinks, on factors that are known."""

import numpy as np

from fmri_jax.linear.gains import LARGEST_GAIN, gains


def test_gains_restore_the_deviation_of_shrunken_features():
    true = np.random.default_rng(1).standard_normal((50, 4, 4, 3)).astype(np.float32)
    found = gains(true, true * np.float32([0.5, 0.25, 0.0]))
    np.testing.assert_allclose(found, [2, 4, 1], rtol=1e-5)  # what never varies cannot be enlarged
    np.testing.assert_allclose(gains(true, 0.01 * true), LARGEST_GAIN)
    np.testing.assert_allclose(gains(true, 0.01 * true, largest=2.0), 2)
    np.testing.assert_array_equal(gains(true, 3 * true), 1)
