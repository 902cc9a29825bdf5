"""Intervals and permutation tests against loops, sampling theory and scipy.stats."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

from fmri_jax.errors import InputError
from fmri_jax.evaluation import binary
from fmri_jax.evaluation.intervals import interval as interval_of
from fmri_jax.evaluation.intervals import mean_interval, tails
from fmri_jax.evaluation.permutation import compare, swaps, together, training_share


def halls_ends(values: np.ndarray) -> list[float]:
    """The interval by Hall's transformation (1992), its cubic solved by root finding."""
    n, skewness = len(values), scipy.stats.skew(values, bias=False)
    error = scipy.stats.sem(values)
    t = scipy.stats.t(n - 2).ppf(0.975)
    most = scipy.optimize.brentq(lambda g: g * t / n**0.5 + g**2 / 6 / n - 0.98, 0, 1e3)
    skewness = np.clip(skewness, -most, most)

    def transformed(t: float) -> float:
        bent = t + skewness * t**2 / 3 / n**0.5 + skewness**2 * t**3 / 27 / n
        return bent + skewness / 6 / n**0.5

    return [
        values.mean()
        - error * scipy.optimize.brentq(lambda t, far=far: transformed(t) - far, -1e3, 1e3)
        for far in scipy.stats.t(n - 2).ppf([0.975, 0.025])
    ]


@pytest.mark.parametrize("n", [5, 24, 400])
def test_the_interval_of_a_mean_is_halls(n):
    values = np.random.default_rng(n).beta(4, 1, n)
    interval = mean_interval(values, np.random.default_rng(0).permutation(n))
    assert interval.value == pytest.approx(values.mean())
    np.testing.assert_allclose(interval[1:], halls_ends(values))


def test_one_far_value_does_not_carry_the_interval_off():
    """Hall's transformation alone would end at .78, seven standard errors below the mean."""
    values = np.append(np.linspace(0.92, 1, 19), 0.5)
    interval = mean_interval(values, np.arange(20))
    reach = scipy.stats.t(18).ppf(0.975) * scipy.stats.sem(values)
    assert 2 * reach < interval.value - interval.low < 2.5 * reach
    assert 0.5 * reach < interval.high - interval.value < reach


def test_the_interval_of_an_unskewed_sample_is_students():
    values = np.array([-3.0, -1, -0.5, 0, 0.5, 1, 3]) + 2
    reach = scipy.stats.t(5).ppf(0.975) * scipy.stats.sem(values)
    np.testing.assert_allclose(mean_interval(values, np.arange(7))[1:], [2 - reach, 2 + reach])


def test_the_interval_of_many_skewed_scores_is_scipys_bca():
    values = np.random.default_rng(1).gamma(1, size=300)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=6000, method="BCa", rng=0
    ).confidence_interval
    reach = 1.96 * scipy.stats.sem(values)
    np.testing.assert_allclose(mean_interval(values, np.arange(300))[1:], theirs, atol=reach / 15)
    assert theirs.high - values.mean() > 1.08 * reach  # far from Student's


@pytest.mark.parametrize(("n", "least"), [(5, 0.045), (10, 0.033)])
def test_intervals_of_skewed_scores_seldom_lie_above_the_truth(n, least):
    """Meant is one in 40; Student's lie there in more than `least`."""
    above, of_student = 0, 0
    for seed in range(2000):
        sample = np.random.default_rng([seed, n]).beta(2, 1, n)
        above += mean_interval(sample, np.arange(n)).low > 2 / 3
        reach = scipy.special.stdtrit(n - 1, 0.975) * sample.std(ddof=1) / n**0.5
        of_student += sample.mean() - reach > 2 / 3
    assert 0.01 <= above / 2000 <= 0.032
    assert of_student / 2000 > least


@pytest.mark.parametrize("n", [5, 8, 40])
def test_95_of_100_intervals_hold_the_mean_of_few_stimuli_as_of_many(n):
    """Percentiles of a bootstrap: 84, 88 and 94 of 100."""
    covered = 0
    for seed in range(600):
        interval = mean_interval(np.random.default_rng(seed).normal(size=n), np.arange(n))
        covered += interval.low <= 0 <= interval.high
    assert 0.93 <= covered / 600 <= 0.98


def test_intervals_of_shares_near_1_end_at_1_and_hold_the_truth():
    """Student's of such ten images lie above the truth in 9 of 100."""
    rng, found = np.random.default_rng(3), []
    for _ in range(500):
        shares = np.round(20 * rng.beta(1.6, 0.4, 10)) / 20
        found.append(mean_interval(shares, np.arange(10)).within((0, 1)))
    assert all(0 <= interval.low < interval.high <= 1 for interval in found)
    assert np.mean([interval.low <= 0.8 <= interval.high for interval in found]) > 0.94


def test_tails_of_resamples_are_hesterbergs_expanded_percentiles():
    """Where a normal distribution ends as far out as Student's, scaled up, does."""
    resampled = np.random.default_rng(0).normal(size=500)
    far = scipy.stats.t(29).ppf(0.975) * np.sqrt(30 / 29)
    expected = np.percentile(resampled, 100 * scipy.stats.norm.cdf([-far, far]))
    np.testing.assert_allclose(tails(np.append(resampled, np.nan), 30), expected)


def test_four_stimuli_have_a_score_and_no_interval():
    values = np.random.default_rng(0).normal(size=12)
    interval = mean_interval(values, np.repeat(np.arange(4), 3))
    assert interval.value == pytest.approx(values.mean())
    assert np.isnan(interval.low) and np.isnan(interval.high)
    difference = compare(values, -values, np.repeat(np.arange(4), 3))
    assert np.isnan(difference.low) and difference.p > 0


def test_scores_that_never_differ_have_no_interval():
    """All of 50 right says nothing of the others: [1, 1] would call it better than .99."""
    assert np.isnan(mean_interval(np.ones(50), np.arange(50))[1:]).all()
    assert np.isfinite(mean_interval(np.arange(50) > 0, np.arange(50))[1:]).all()


def test_repeats_of_a_stimulus_do_not_narrow_the_interval():
    values = np.random.default_rng(2).normal(size=30)
    once = mean_interval(values, np.arange(30))
    often = mean_interval(np.repeat(values, 20), np.repeat(np.arange(30), 20))
    np.testing.assert_allclose(often, once)


def test_f1_is_pooled_again_without_each_stimulus():
    counts = np.random.default_rng(3).integers(1, 30, (22, 4))
    interval = interval_of(counts, binary.f1, np.arange(22))
    without = [
        2 * tp / (2 * tp + fp + fn)
        for tp, fp, fn, _ in (np.delete(counts, i, axis=0).sum(axis=0) for i in range(22))
    ]
    value = binary.f1(counts.sum(axis=0))
    # The jackknife's stand-ins for single values, about the score of all.
    effects = 21 * (np.mean(without) - np.asarray(without))
    assert interval.value == pytest.approx(value)
    np.testing.assert_allclose(interval[1:], value + np.asarray(halls_ends(effects)))


def test_a_paired_interval_is_that_of_the_differences():
    values, others = np.random.default_rng(10).normal(size=(2, 7))
    paired = compare(values, others, np.arange(7))
    np.testing.assert_allclose(paired[1:3], halls_ends(values - others))


def test_undefined_precision_has_no_interval():
    counts = np.array([[0, 0, 5, 95]] * 9)
    assert np.all(np.isnan(interval_of(counts, binary.precision, np.arange(9))[1:]))


def test_one_stimulus_a_row_is_asked_for():
    with pytest.raises(InputError, match="expected one stimulus per row"):
        mean_interval(np.zeros(4), np.zeros(3))


def test_paired_p_is_scipys_permutation_test():
    rng = np.random.default_rng(4)
    first = rng.normal(0.5, 1, 25)
    second = 0.5 * first + rng.normal(0, 0.6, 25)
    ours = compare(first, second, np.arange(25), n_resamples=20000)
    theirs = scipy.stats.permutation_test(
        (first, second),
        lambda a, b: np.mean(a - b),
        permutation_type="samples",
        n_resamples=20000,
        rng=0,
    )
    assert ours.value == pytest.approx(theirs.statistic)
    assert ours.p == pytest.approx(theirs.pvalue, abs=0.01)
    assert ours.low < ours.value < ours.high


def test_p_of_few_stimuli_is_exact():
    rng = np.random.default_rng(11)
    first, second = rng.normal(0.8, 1, 8), rng.normal(0, 1, 8)
    theirs = scipy.stats.permutation_test(
        (first, second), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert compare(first, second, np.arange(8)).p == pytest.approx(theirs.pvalue)
    assert compare(np.ones(5), np.zeros(5), np.arange(5)).p == 1 / 16


def test_what_training_adds_has_the_variance_of_nadeau_and_bengio():
    """p is that of a normal distribution of variance v (1/n + 1/m), m images in training."""
    rng, n = np.random.default_rng(3), 60
    first, second = rng.normal(0.3, 1, n), rng.normal(size=n)
    assert training_share(n, 0) == 0
    for trained in (30, 54, 6000):
        share = training_share(n, trained)
        found = compare(first, second, np.arange(n), None, 4000, training=share)
        error = np.sqrt(np.mean((first - second) ** 2) * (1 / n + 1 / trained))
        expected = 2 * scipy.stats.norm.sf(abs(found.value) / error)
        assert found.p == pytest.approx(expected, rel=0.15, abs=0.005)
        alone = compare(first, second, np.arange(n), None, 4000)
        assert found.high - found.low == pytest.approx(
            (alone.high - alone.low) * np.sqrt(1 + n / trained)
        )


def test_methods_that_are_equal_are_seldom_called_different_in_cross_validation():
    """Each image of a fold trains the decoders of the others: swaps alone err far too often."""
    verdicts = {True: [], False: []}
    for seed in range(150):
        rng, n = np.random.default_rng(seed), 16
        signal, noise = rng.normal(size=(n, 8)), rng.normal(size=(2, n, 12))
        errors = []
        for x in signal @ rng.normal(size=(8, 12)) + 2 * noise:
            left_out = [np.delete(np.arange(n), i) for i in range(n)]
            made = [
                x[i] @ np.linalg.solve(x[k].T @ x[k] + 3 * np.eye(12), x[k].T @ signal[k])
                for i, k in enumerate(left_out)
            ]
            errors.append(np.mean((made - signal) ** 2, axis=1))
        for corrected in verdicts:
            share = training_share(n, n - 1) if corrected else 0
            p = compare(*errors, np.arange(n), None, 400, training=share).p
            verdicts[corrected].append(p < 0.05)
    assert np.mean(verdicts[True]) <= 0.06 < 0.12 < np.mean(verdicts[False])


def test_comparisons_made_together_are_corrected_for_their_number_and_correlation():
    rng = np.random.default_rng(12)
    first, second = rng.normal(0.5, 1, (2, 30)), rng.normal(0, 1, (2, 30))
    alone = swaps(first[0], second[0], np.arange(30))
    copies = together(dict.fromkeys("abcde", alone))
    assert copies["a"].adjusted == alone.difference.p  # five copies of one score are one score
    others = {str(i): swaps(*rng.normal(size=(2, 30)), np.arange(30)) for i in range(9)}
    found = together({"a": alone, **others})["a"]
    assert found[:4] == alone.difference[:4]
    assert 3 * found.p < found.adjusted <= 16 * found.p  # Bonferroni's 10, but for luck


def test_one_of_ten_equal_scores_is_seldom_called_better():
    rng = np.random.default_rng(13)
    wrong = 0
    for _ in range(200):
        first, second = rng.normal(size=(2, 10, 12))
        pairs = {i: swaps(first[i], second[i], np.arange(12), n_resamples=200) for i in range(10)}
        wrong += any(gap.adjusted < 0.05 for gap in together(pairs).values())
    assert 0.01 <= wrong / 200 <= 0.09  # uncorrected: 40 of 100


def test_an_account_of_the_training_lowers_no_p():
    values = np.random.default_rng(3).uniform(0.1, 1, (10, 5))
    for trained in (50, 500):
        share = training_share(5, trained)
        pairs = {
            i: swaps(own, 0 * own, np.arange(5), training=share) for i, own in enumerate(values)
        }
        alone = {i: swaps(own, 0 * own, np.arange(5)) for i, own in enumerate(values)}
        assert all(pair.difference.p >= 1 / 16 for pair in pairs.values())
        found, before = together(pairs), together(alone)
        assert all(found[i].adjusted >= before[i].adjusted >= 1 / 16 for i in pairs)


def test_a_method_against_itself_and_against_a_worse_one():
    values = np.random.default_rng(5).uniform(size=20)
    same = compare(values, values, np.arange(20))
    assert same[:4] == (0, 0, 0, 1)
    worse = compare(values, values - 0.1, np.arange(20))
    np.testing.assert_allclose(worse[:3], 0.1)
    assert worse.p < 0.01


def test_paired_p_of_f1_is_uniform_under_the_null():
    rng = np.random.default_rng(6)
    p = []
    for seed in range(100):
        counts = rng.multinomial(100, (0.2, 0.1, 0.1, 0.6), size=(2, 15))
        p.append(compare(*counts, np.arange(15), binary.f1, n_resamples=200, seed=seed).p)
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.001


@pytest.mark.filterwarnings("error")
def test_an_undefined_difference_has_no_p():
    some = np.random.default_rng(0).integers(1, 5, (10, 4))
    none = some * [0, 0, 1, 1]  # nothing decoded as on: no precision
    for pair in ((some, none), (none, some), (none, none)):
        assert np.all(np.isnan(compare(*pair, np.arange(10), binary.precision)))


def test_swaps_without_a_score_do_not_count():
    """Precision of two methods that decode something as on for one stimulus each."""
    first, second = np.tile([0, 0, 5, 95], (2, 8, 1))
    first[0], second[1] = (4, 1, 1, 94), (1, 4, 4, 91)
    found = compare(first, second, np.arange(8), binary.precision)
    assert found.value == pytest.approx(0.6)
    # Where both are with one method the other's precision is undefined, else it is 0.6 or -0.6.
    assert found.p == 1


def test_methods_on_different_rows_are_refused():
    with pytest.raises(InputError, match="same rows for both"):
        compare(np.zeros(4), np.zeros(5), np.arange(4))
