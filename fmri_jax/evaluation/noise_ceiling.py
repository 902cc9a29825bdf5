"""How well any method could do: the noise ceiling of each voxel.

Repeats of a stimulus differ by noise only, so they tell how much of a voxel's variance can be
signal at all. A recording whose repeats do not resemble each other cannot be reconstructed.
"""

from typing import Any, NamedTuple

import numpy as np

from fmri_jax.errors import InputError


class NoiseCeiling(NamedTuple):
    """Signal and noise of each voxel, (voxels,) each."""

    signal_variance: np.ndarray  # between stimuli, noise removed; at least 0
    noise_variance: np.ndarray  # between repeats of a stimulus

    def explainable(self, n_averaged: float = 1) -> np.ndarray:
        """Fraction of variance that a perfect model explains, where trials are averaged.

        signal / (signal + noise / n_averaged), (voxels,) in [0, 1]; its square root is the
        highest correlation with the recording that a perfect model reaches. 0 for a voxel that
        never changes.

        Args:
            n_averaged: how many trials of a stimulus are averaged; where that differs between
                stimuli, the harmonic mean, as noise falls with 1 / n.
        """
        total = self.signal_variance + self.noise_variance / n_averaged
        return np.where(total > 0, self.signal_variance / np.where(total > 0, total, 1), 0)


def noise_ceiling(fmri: Any, stimulus: Any) -> NoiseCeiling:
    """Splits the variance of each voxel into signal and noise by its repeats.

    One-way analysis of variance with random stimuli: noise is the mean square within stimuli, and
    signal is (mean square between - within) / repeats, or 0 where that is negative. Numbers of
    repeats may differ.

    Args:
        fmri: (trials, voxels), on one scale (not multiplied by the square root of repeats).
        stimulus: (trials,) which stimulus each trial shows.

    Returns:
        Signal and noise variance of each voxel.

    Raises:
        InputError: fewer than two stimuli, or no stimulus has repeats.

    References:
        Allen et al. (2022), Nat. Neurosci. 25:116, "noise ceiling"; Lage-Castellanos et al. (2019),
        PLoS Comput. Biol. 15:e1006397; unequal repeats: Searle, Casella & McCulloch (1992),
        Variance Components, section 3.6.
    """
    fmri = np.asarray(fmri, np.float64)
    _, group, repeats = np.unique(stimulus, return_inverse=True, return_counts=True)
    n, k = len(group), len(repeats)
    if k < 2 or n == k:
        raise InputError(
            f"the noise ceiling found {k} stimuli in {n} trials: expected at least two stimuli, "
            "some of them repeated; pass trials before averaging."
        )
    centred = fmri - fmri.mean(axis=0)
    sums = np.zeros((k, fmri.shape[1]))
    np.add.at(sums, group, centred)
    between = np.sum(sums**2 / repeats[:, None], axis=0)
    within = np.maximum(np.sum(centred**2, axis=0) - between, 0)
    noise = within / (n - k)
    effective_repeats = (n - np.sum(repeats**2) / n) / (k - 1)
    signal = (between / (k - 1) - noise) / effective_repeats
    return NoiseCeiling(np.maximum(signal, 0), noise)
