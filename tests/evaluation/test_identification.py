"""Identification against plain loops, scipy.special.comb and cases with a known answer."""

import itertools

import numpy as np
import pytest
import scipy.special

from fmri_jax.errors import InputError
from fmri_jax.evaluation import identification
from fmri_jax.evaluation.identification import Ranks, against_all, n_way, pairwise, ranks


def correlate(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = rng.uniform(size=(13, 6, 6, 3)).astype(np.float32)
    decoded = 0.25 * targets + 0.75 * rng.uniform(size=targets.shape).astype(np.float32)
    return targets, decoded


def test_pairwise_is_a_loop_over_pairs(noisy):
    targets, decoded = noisy
    expected = []
    for i, reconstruction in enumerate(decoded):
        own = correlate(reconstruction, targets[i])
        wins = [own > correlate(reconstruction, t) for j, t in enumerate(targets) if j != i]
        expected.append(np.mean(wins))
    assert 0.5 < np.mean(expected) < 1
    np.testing.assert_allclose(pairwise(ranks(targets, decoded, block=5)), expected)


def test_rows_of_one_stimulus_are_not_distractors(noisy):
    targets, decoded = noisy
    repeated = np.concatenate([targets, targets[:4]])
    twice = np.concatenate([decoded, decoded[:4]])
    ranked = ranks(repeated, twice)
    assert set(ranked.distractors) == {12} and not ranked.tied.any()
    once = pairwise(ranks(targets, decoded))
    np.testing.assert_allclose(pairwise(ranked), np.concatenate([once, once[:4]]))


def test_own_image_among_candidates_is_not_a_distractor(noisy):
    targets, decoded = noisy
    ranked = ranks(targets[:3], decoded[:3], candidates=np.concatenate([targets, targets[:1]]))
    assert set(ranked.distractors) == {12}
    np.testing.assert_allclose(pairwise(ranked), pairwise(ranks(targets, decoded))[:3])


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_n_way_is_the_count_over_all_choices(n):
    """Enumerate every set of distractors; tied images come in random order."""
    below, tied, above = 4, 2, 2
    standing = [-1] * below + [0] * tied + [1] * above
    chosen = list(itertools.combinations(standing, n - 1))
    wins = [0 if max(c) > 0 else 1 / (1 + c.count(0)) for c in chosen]
    ranked = Ranks(*(np.array([x]) for x in (below, tied, below + tied + above)))
    np.testing.assert_allclose(n_way(ranked, n), np.mean(wins), rtol=1e-12)


def test_n_way_is_hypergeometric_at_large_numbers():
    below = np.array([0, 5, 600, 1190, 1199])
    ranked = Ranks(below, np.zeros(5, int), np.full(5, 1199))
    expected = scipy.special.comb(below, 9) / scipy.special.comb(1199, 9)
    np.testing.assert_allclose(n_way(ranked, 10), expected, rtol=1e-9)


def test_a_random_draw_agrees_with_n_way(noisy):
    targets, decoded = noisy
    similarity = identification.similarity(targets, decoded)
    np.testing.assert_allclose(similarity[2, 5], correlate(decoded[2], targets[5]), atol=1e-6)
    rng = np.random.default_rng(1)
    wins = []
    for i in range(len(targets)):
        others = np.delete(similarity[i], i)
        wins.append([similarity[i, i] > rng.permutation(others)[:4].max() for _ in range(2000)])
    np.testing.assert_allclose(n_way(ranks(targets, decoded), 5), np.mean(wins, axis=1), atol=0.05)


def test_against_all_is_n_way_with_everything():
    below, tied = np.array([7, 6, 5, 6]), np.array([0, 1, 2, 0])
    ranked = Ranks(below, tied, np.full(4, 7))
    np.testing.assert_allclose(against_all(ranked), [1, 1 / 2, 1 / 3, 0])
    np.testing.assert_allclose(against_all(ranked), n_way(ranked, 8), atol=1e-12)


@pytest.mark.parametrize("image", ["constant", "mean"])
def test_one_answer_for_all_is_exactly_at_chance(noisy, image):
    targets, _ = noisy
    answer = np.full(targets.shape[1:], 0.5) if image == "constant" else targets.mean(axis=0)
    ranked = ranks(targets, np.broadcast_to(answer, targets.shape))
    assert pairwise(ranked).mean() == pytest.approx(1 / 2)
    assert n_way(ranked, 10).mean() == pytest.approx(1 / 10)
    assert against_all(ranked).mean() == pytest.approx(1 / 13)


def test_noise_is_near_chance_and_truth_is_perfect(noisy):
    targets, _ = noisy
    rng = np.random.default_rng(2)
    many = np.repeat(targets, 40, axis=0)
    ranked = ranks(many, rng.uniform(size=many.shape))
    assert pairwise(ranked).mean() == pytest.approx(0.5, abs=0.04)
    assert n_way(ranked, 10).mean() == pytest.approx(0.1, abs=0.04)
    ranked = ranks(many, many)
    assert pairwise(ranked).min() == n_way(ranked, 10).min() == against_all(ranked).min() == 1


@pytest.mark.parametrize("k", [2, 10])
def test_decoding_only_the_category_is_unmasked(k):
    """Pairwise 1 - 1/(2k) looks good; 10-way and against-training identification collapse.

    Images are their category's pattern and an individual one; the reconstruction is the pattern.
    """
    rng = np.random.default_rng(k)
    patterns = rng.uniform(0.3, 0.7, size=(k, 8, 8, 3))

    def images_of(each: int) -> np.ndarray:
        return np.repeat(patterns, each, axis=0) + rng.uniform(-0.1, 0.1, (k * each, 8, 8, 3))

    each = 400 // k
    targets, training = images_of(each), images_of(200)
    decoded = np.repeat(patterns, each, axis=0)
    among_test = ranks(targets, decoded)
    # Of the m - 1 distractors, each - 1 share the category and are beaten half of the time.
    expected = 1 - (each - 1) / (2 * (k * each - 1))
    assert expected == pytest.approx(1 - 1 / (2 * k), abs=2e-3)
    assert pairwise(among_test).mean() == pytest.approx(expected, abs=1e-9)
    # The own image wins if first among those of its category in the draw: E[1 / (1 + Binomial)].
    share = 1 - 1 / k
    ten_way = (1 - share**10) * k / 10
    assert n_way(among_test, 10).mean() == pytest.approx(ten_way, abs=0.02)
    among_training = ranks(targets, decoded, candidates=training)
    assert against_all(among_training).mean() == pytest.approx(1 / 201, abs=0.02)
    assert pairwise(among_training).mean() == pytest.approx(1 - 1 / (2 * k), abs=0.03)


def test_too_few_images_are_refused(noisy):
    targets, decoded = noisy
    with pytest.raises(InputError, match="10-way identification found 4 other images"):
        n_way(ranks(targets[:5], decoded[:5]), 10)
    with pytest.raises(InputError, match="2-way identification found 0"):
        pairwise(ranks(targets[:1], decoded[:1]))
    with pytest.raises(InputError, match="candidates are images of shape"):
        ranks(targets, decoded, candidates=targets[:, :3])
