"""The order of trials: every trial once per epoch, in any order, of (seed, step) alone."""

import numpy as np
import pytest
from scipy import stats

from fmri_jax.training.sampler import Sampler


@pytest.mark.parametrize(("n_trials", "size"), [(12, 4), (22, 7), (5, 12), (1, 3)])
def test_each_epoch_takes_each_trial_once(n_trials: int, size: int) -> None:
    sampler = Sampler(3, n_trials, size)
    stream = np.concatenate([sampler(t) for t in range(10 * n_trials)])
    assert stream.dtype == np.int32
    epochs = stream[: len(stream) // n_trials * n_trials].reshape(-1, n_trials)
    np.testing.assert_array_equal(
        np.sort(epochs, axis=1), np.tile(np.arange(n_trials), (len(epochs), 1))
    )
    if n_trials > 5:
        assert len({tuple(epoch) for epoch in epochs[:10]}) > 5  # each in an order of its own


def test_a_step_needs_none_before_it() -> None:
    forward = Sampler(7, 22, 4)
    batches = [forward(t) for t in range(30)]
    for t in (29, 3, 17, 3):
        np.testing.assert_array_equal(Sampler(7, 22, 4)(t), batches[t])
    assert any((Sampler(8, 22, 4)(t) != batches[t]).any() for t in range(30))


def test_batch_sizes_cut_the_same_stream() -> None:
    by_four, by_six = (
        np.concatenate([Sampler(1, 22, size)(t) for t in range(12 * 6 // size)]) for size in (4, 6)
    )
    np.testing.assert_array_equal(by_four, by_six)


def test_late_steps_are_whole_batches_of_distinct_trials() -> None:
    trials = Sampler(0, 1200, 64)(2**31 - 1)
    assert ((trials >= 0) & (trials < 1200)).all() and len(set(trials.tolist())) > 55


def test_orders_of_four_trials_are_all_equally_likely() -> None:
    orders = [Sampler(7, 4, 4)(t) for t in range(2400)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-3


def test_seeds_side_by_side_give_unrelated_orders() -> None:
    orders = np.array([Sampler(seed, 37, 37)(0) for seed in range(2000)])
    for column in (0, 20, 36):
        assert stats.chisquare(np.bincount(orders[:, column], minlength=37)).pvalue > 1e-3
    shifts = np.bincount((orders[1:, 0] - orders[:-1, 0]) % 37, minlength=37)
    assert stats.chisquare(shifts).pvalue > 1e-3
