"""Recall by the nearest response pattern, held against SciPy pair by pair."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from fmri_jax.evaluation.nearest import nearest_training_image


@pytest.fixture(scope="module")
def trials():
    """Nine of twelve images shown in training, in unequal numbers of noisy trials."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
    patterns = rng.normal(size=(12, 30))
    stimulus = np.repeat([11, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 5, 4, 3, 2, 1])
    fmri = patterns[stimulus] + 1.5 * rng.normal(size=(len(stimulus), 30)) + 0.3
    test = patterns + 1.5 * rng.normal(size=patterns.shape) + 0.3
    return fmri.astype(np.float32), stimulus, images, test.astype(np.float32)


def test_the_image_with_the_highest_pearson_correlation_is_recalled(trials):
    fmri, stimulus, images, test = trials
    mean = fmri.mean(axis=0)
    seen = sorted(set(stimulus.tolist()))
    averages = {s: fmri[stimulus == s].mean(axis=0) - mean for s in seen}
    best = [max(seen, key=lambda s: pearsonr(row - mean, averages[s])[0]) for row in test]
    assert len(set(best)) > 4
    found = nearest_training_image(fmri, stimulus, images, test)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, images[best] / 255, atol=1e-6)


def test_what_preparation_multiplied_distances_by_changes_nothing(trials):
    fmri, stimulus, images, test = trials
    mean = fmri.mean(axis=0)
    enlarged = mean + (test - mean) * np.linspace(1, 5, len(test))[:, None]
    np.testing.assert_array_equal(
        nearest_training_image(fmri, stimulus, images, enlarged),
        nearest_training_image(fmri, stimulus, images, test),
    )


def test_a_pattern_without_spread_has_an_answer(trials):
    fmri, stimulus, images, _ = trials
    flat = fmri.mean(axis=0)[None]
    found = nearest_training_image(fmri.astype(np.float64), stimulus, images, flat)
    assert np.isfinite(found).all() and found.shape == (1, 4, 4, 3)
