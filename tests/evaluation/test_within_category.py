"""Identification within a category, on decoders that know the category alone, or the image."""

import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.evaluation.pair import Pair
from fmri_jax.evaluation.registry import METRICS
from fmri_jax.evaluation.within_category import identification_within, share_of_sums
from fmri_jax.evaluation.without_mean import identification_without_mean

CATEGORY = np.repeat([0, 1, 2, 3, -1], [5, 5, 5, 1, 2])


@pytest.fixture(scope="module")
def shown():
    """Images of one category resemble one another; the last three have no companion."""
    rng = np.random.default_rng(0)
    prototypes = rng.uniform(size=(5, 6, 6, 1))
    return 0.7 * prototypes[CATEGORY] + 0.3 * rng.uniform(size=(18, 6, 6, 1))


def test_a_decoder_of_the_category_alone_is_at_one_half_within_it(shown):
    prototype = np.stack([shown[CATEGORY == c].mean(axis=0) for c in CATEGORY])
    mean = np.broadcast_to(shown.mean(axis=0), shown.shape)
    assert identification_without_mean(shown, prototype, mean)[:15].mean() > 0.85
    found = identification_within(shown, prototype, CATEGORY, mean)
    np.testing.assert_array_equal(found[:, 1], np.arange(18) < 15)
    assert share_of_sums(found.sum(axis=0)) == pytest.approx(0.5, abs=0.1)
    right = identification_within(shown, shown, CATEGORY, mean)
    assert share_of_sums(right.sum(axis=0)) == 1


def test_it_is_what_correlations_pair_by_pair_give(shown):
    rng = np.random.default_rng(1)
    made = np.clip(0.2 * shown + 0.8 * rng.uniform(size=shown.shape), 0, 1)
    r = np.corrcoef(made.reshape(18, -1), shown.reshape(18, -1))[:18, 18:]
    expected = [
        np.mean([r[i, i] > r[i, j] for j in range(15) if j != i and CATEGORY[j] == CATEGORY[i]])
        for i in range(15)
    ]
    np.testing.assert_allclose(identification_within(shown, made, CATEGORY)[:15, 0], expected)


def test_it_is_left_out_where_it_says_nothing(shown):
    assert identification_within(shown, shown, np.arange(18)) is None
    assert np.isnan(share_of_sums(np.zeros(2)))
    compute = METRICS["identification_category"].compute
    assert compute(Pair(shown, shown)) is None
    assert compute(Pair(shown, shown, categories=CATEGORY)).shape == (18, 2)
    with pytest.raises(InputError, match="one category per row"):
        identification_within(shown, shown, CATEGORY[:3])
