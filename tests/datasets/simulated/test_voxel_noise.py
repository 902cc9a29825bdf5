"""Noise ceilings and noise: the designed shares, and what a real recording shows."""

import numpy as np
import pytest
from scipy import stats

from fmri_jax.datasets.simulated import areas, noise

N_VOXELS = 400


@pytest.fixture(scope="module")
def fields() -> areas.ReceptiveFields:
    return areas.draw_receptive_fields(np.repeat("V2", N_VOXELS), np.random.default_rng(0))


def measured_ceilings(fmri: np.ndarray, stimulus: np.ndarray) -> np.ndarray:
    """Share of a trial's variance that stimuli explain: one-way random-effects analysis."""
    groups = [fmri[stimulus == k].astype(float) for k in np.unique(stimulus)]
    trials, sizes = len(fmri), np.asarray([len(group) for group in groups])
    within = sum(((g - g.mean(0)) ** 2).sum(0) for g in groups) / (trials - len(groups))
    grand = fmri.mean(0)
    between = sum(len(g) * (g.mean(0) - grand) ** 2 for g in groups) / (len(groups) - 1)
    repeats = (trials - (sizes**2).sum() / trials) / (len(groups) - 1)
    signal = np.maximum((between - within) / repeats, 0)
    return signal / (signal + within)


@pytest.mark.parametrize("median", [0.05, 0.2, 0.5, 0.9])
def test_ceilings_have_the_median_that_was_asked_for(median):
    ceilings = noise.draw_ceilings(20_000, median, np.random.default_rng(0))
    assert ceilings.dtype == np.float32
    assert abs(np.median(ceilings) - median) < 0.02
    assert ceilings.min() >= 0 and ceilings.max() <= 1


@pytest.mark.parametrize("median", [0.0, 1.0])
def test_extreme_ceilings_hold_for_every_voxel(median):
    assert (noise.draw_ceilings(50, median, np.random.default_rng(0)) == median).all()


def test_ceilings_are_spread_like_those_of_a_real_recording(recordings):
    with np.load(recordings / "miyawaki2008_s1_v1_figures.npz", allow_pickle=False) as file:
        real = measured_ceilings(file["fmri"], file["stimulus"])
    drawn = noise.draw_ceilings(20_000, float(np.median(real)), np.random.default_rng(0))
    levels = (0.25, 0.5, 0.75, 0.9)
    np.testing.assert_allclose(np.quantile(drawn, levels), np.quantile(real, levels), atol=0.1)
    assert stats.skew(real) > 0.3 and stats.skew(drawn) > 0.3


@pytest.mark.parametrize(("shared", "drift"), [(0, 0), (0.3, 0), (0, 0.4), (0.2, 0.1), (0.8, 0.2)])
def test_variance_is_one_whatever_the_shares(fields, shared, drift):
    found = noise.trial_noise(2000, fields, shared, drift, np.random.default_rng(0))
    assert found.shape == (2000, N_VOXELS) and found.dtype == np.float32
    assert abs(found.var(0).mean() - 1) < 0.02
    assert abs(found.mean()) < 0.02


def test_neighbours_share_noise_and_distant_voxels_do_not(fields):
    found = noise.trial_noise(4000, fields, 0.5, 0, np.random.default_rng(0))
    correlation = np.corrcoef(found.T)
    distance = np.hypot(fields.x[:, None] - fields.x, fields.y[:, None] - fields.y)
    apart = ~np.eye(N_VOXELS, dtype=bool)
    near, far = correlation[(distance < 0.3) & apart], correlation[distance > 6]
    assert near.mean() > 0.4  # the designed share is 0.5
    assert abs(far.mean()) < 0.1
    alone = np.corrcoef(noise.trial_noise(4000, fields, 0, 0, np.random.default_rng(0)).T)
    assert abs(alone[apart]).mean() < 0.02


def test_drift_is_slow_and_has_its_share(fields):
    found = noise.trial_noise(3000, fields, 0, 0.4, np.random.default_rng(0))
    blocks = found.reshape(60, 50, N_VOXELS).mean(1)  # averaging leaves what is slow
    assert abs(blocks.var(0).mean() - (0.4 + 0.6 / 50)) < 0.02
    lagged = np.mean(found[:-1] * found[1:], axis=0).mean()
    assert abs(lagged - 0.4) < 0.03
    steady = noise.trial_noise(3000, fields, 0, 0, np.random.default_rng(0))
    assert abs(np.mean(steady[:-1] * steady[1:])) < 0.01
