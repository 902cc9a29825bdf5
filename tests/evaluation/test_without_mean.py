"""Identification without the mean, on decoders whose answers hold a known amount of information."""

import itertools

import numpy as np
import pytest
import scipy.stats

from fmri_jax.errors import InputError
from fmri_jax.evaluation.identification import pairwise, ranks
from fmri_jax.evaluation.without_mean import blind_test, identification_without_mean


def images(n: int, seed: int = 0) -> np.ndarray:
    """Images that all resemble one another, as photographs do."""
    rng = np.random.default_rng(seed)
    return 0.6 * rng.uniform(size=(1, 6, 6, 1)) + 0.3 * rng.uniform(size=(n, 6, 6, 1))


def left_out(shown, answer, n_folds=None, seed=1):
    """Answers and means where each image, or every one of `n_folds` groups, is left out."""
    rng = np.random.default_rng(seed)
    group = np.arange(len(shown)) % (n_folds or len(shown))
    means = np.stack([shown[group != g].mean(axis=0) for g in group])
    made = np.stack(
        [
            answer(rng, shown[group != g], mean, x)
            for g, mean, x in zip(group, means, shown, strict=True)
        ]
    )
    return np.clip(made, 0, 1), means


BLIND = {
    "the mean": lambda rng, training, mean, x: mean,
    "black": lambda rng, training, mean, x: 0 * mean,
    "a pale mean": lambda rng, training, mean, x: 0.5 * mean + 0.3,
    "noise on the mean": lambda rng, training, mean, x: mean + rng.normal(0, 0.05, mean.shape),
    "mixtures of training images": lambda rng, training, mean, x: (
        mean + np.tensordot(rng.normal(0, 0.1, len(training)), training - mean, 1)
    ),
}


def signal(rng, training, mean, x):
    return mean + 0.1 * (x - mean) + rng.normal(0, 0.01, mean.shape)


def by_hand(shown, made, means):
    """Partial correlations given a constant and the mean, one pair at a time."""

    def residual(x, mean):
        design = np.stack([np.ones(mean.size), mean.ravel()], axis=1)
        return x.ravel() - design @ np.linalg.lstsq(design, x.ravel(), rcond=None)[0]

    found = []
    for i, (answer, mean) in enumerate(zip(made, means, strict=True)):
        r = [
            np.corrcoef(residual(answer, mean), residual(x, mean))[0, 1] - 1e-12 * (x is shown[i])
            for x in shown
        ]
        found.append(np.mean([r[i] > other for j, other in enumerate(r) if j != i]))
    return np.array(found)


def test_it_is_the_partial_correlation_given_the_mean():
    shown = images(9)

    def faint(rng, training, mean, x):
        return signal(rng, training, mean, x) + rng.normal(0, 0.03, mean.shape)

    made, means = left_out(shown, faint, n_folds=3)
    expected = by_hand(shown, made, means)
    assert 0.5 < expected.mean() < 1
    np.testing.assert_allclose(identification_without_mean(shown, made, means), expected)


def test_without_folds_and_mean_it_is_the_raw_score():
    shown = images(12)
    rng = np.random.default_rng(2)
    made = np.clip(0.3 * shown + 0.7 * rng.uniform(size=shown.shape), 0, 1)
    raw = blind_test(shown, made, centred=False)
    assert raw.value == pytest.approx(pairwise(ranks(shown, made)).mean())
    assert raw.level == pytest.approx(0.5)


@pytest.mark.parametrize("answer", ["the mean", "black", "a pale mean"])
@pytest.mark.parametrize("n_folds", [None, 4])
def test_answers_without_fmri_identify_half_of_all_pairs(answer, n_folds):
    """Raw, the mean image identifies a third; less the mean, black would identify every image."""
    shown = images(20)
    made, means = left_out(shown, BLIND[answer], n_folds)
    np.testing.assert_array_equal(identification_without_mean(shown, made, means), 0.5)
    assert blind_test(shown, made, means).p == 1
    if answer == "the mean":
        raw = blind_test(shown, made, means, centred=False)
        assert raw.value < 0.4 and raw.level == pytest.approx(raw.value)


def test_five_shapes_that_are_all_recognised_are_above_chance():
    """Raw identification is a quarter or so, beside an answer that is right 40 times of 40."""
    shown = np.repeat(images(5, seed=3), 8, axis=0)

    def right(rng, training, mean, x):
        return mean + 0.02 * (x - mean) + 0.001 * rng.normal(size=mean.shape)

    group = np.repeat(np.arange(5), 8)
    means = np.stack([shown[group != g].mean(axis=0) for g in group])
    rng = np.random.default_rng(4)
    made = np.stack([right(rng, None, m, x) for m, x in zip(means, shown, strict=True)])
    raw, found = blind_test(shown, made, means, centred=False), blind_test(shown, made, means)
    assert raw.value < 0.3 and raw.level < 0.3
    assert found.value == 1 and found.units == 5
    assert found.p == pytest.approx(1 / 120)  # the least that five images allow


def test_signal_is_found_and_its_raw_score_has_a_blind_level_of_its_own():
    shown = images(20)
    made, means = left_out(shown, signal)
    found, raw = blind_test(shown, made, means), blind_test(shown, made, means, centred=False)
    assert found.value > 0.8 and found.p < 0.002
    assert found.level == pytest.approx(0.5, abs=0.02) and raw.level < 0.45


@pytest.mark.parametrize("answer", ["noise on the mean", "mixtures of training images"])
def test_blind_decoders_of_left_out_images_are_seldom_above_chance(answer):
    shown = images(8)
    p = [
        blind_test(shown, *left_out(shown, BLIND[answer], seed=seed), n_permutations=100).p
        for seed in range(150)
    ]
    assert np.mean(np.array(p) < 0.05) <= 0.08


def test_p_of_noise_is_uniform_and_of_few_images_exact():
    shown, rng = images(20), np.random.default_rng(5)
    p = [
        blind_test(shown, rng.uniform(size=shown.shape), n_permutations=99, centred=False).p
        for _ in range(100)
    ]
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.001
    few, made = shown[:4], np.clip(shown[:4] + rng.normal(0, 0.3, shown[:4].shape), 0, 1)
    found = blind_test(few, made, centred=False)
    scores = [
        np.mean(pairwise(ranks(few, made[list(order)])))
        for order in itertools.permutations(range(4))
    ]
    assert found.p == np.mean(np.array(scores) >= scores[0] - 1e-9)
    assert found.level == pytest.approx(np.mean(scores))


def test_trials_of_one_image_and_frames_of_one_movie_are_one_piece_of_evidence():
    shown = images(10)
    made, means = left_out(shown, BLIND["noise on the mean"])
    once = blind_test(shown, made, means)
    often = blind_test(*(np.repeat(part, 30, axis=0) for part in (shown, made, means)))
    assert once.p == often.p and often.units == 10
    movies = blind_test(shown, shown, units=np.arange(10) // 2)  # five movies of two frames
    assert movies.units == 5 and movies.p == pytest.approx(1 / 120)


def test_what_cannot_be_tested_is_rejected():
    shown = images(4)
    with pytest.raises(InputError, match="at least two stimuli"):
        blind_test(shown[[0, 0]], shown[:2])
    with pytest.raises(InputError, match="one unit per row"):
        blind_test(shown, shown, units=[0, 1])
    with pytest.raises(InputError, match="one unit per image"):
        blind_test(shown[[0, 0, 1]], shown[[0, 0, 1]], units=[0, 1, 2])
