"""Which trials a training step learns from: a pure function of (seed, step).

Trials form an endless stream, epoch after epoch, each epoch in a random order of its own; the batch
of step t is the t-th stretch of that stream. So any step can be looked up without the steps before
it, and a resumed run needs no position but its step.
"""

import functools

import numpy as np


class Sampler:
    """The trials of each step, for a run's seed, number of trials and batch size.

    Safe to call from several threads.

    Args:
        seed: of all orders; not negative.
        n_trials: trials in an epoch.
        batch_size: trials in a batch. It need not divide `n_trials`: a batch may end one epoch and
            begin the next.
    """

    def __init__(self, seed: int, n_trials: int, batch_size: int):
        self._seed, self._n_trials, self._batch_size = seed, n_trials, batch_size
        self._order = functools.lru_cache(maxsize=4)(self._draw)

    def __call__(self, step: int) -> np.ndarray:
        """(batch size,) int32 indices of the trials of step `step`, from 0."""
        position = step * self._batch_size
        stop, pieces = position + self._batch_size, []
        while position < stop:
            epoch, start = divmod(position, self._n_trials)
            pieces.append(self._order(epoch)[start : start + stop - position])
            position += len(pieces[-1])
        return np.concatenate(pieces)

    def _draw(self, epoch: int) -> np.ndarray:
        order = np.random.default_rng((self._seed, epoch)).permutation(self._n_trials)
        return order.astype(np.int32)
