"""Scores of encoding models: correlations, their normalisation, and intervals that hold truth."""

import dataclasses

import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.evaluation import encoding_scores
from fmri_jax.evaluation.encoding_scores import Predictions
from tests.peers import peer

RNG = np.random.default_rng(0)
N, VOXELS = 60, 9
SIGNAL = RNG.normal(size=(N, VOXELS))
MEASURED = SIGNAL + RNG.normal(size=(N, VOXELS))  # half of the variance is signal
EXPLAINABLE = np.full(VOXELS, 0.5)
EXPLAINABLE[0] = 0.01
FOUND = Predictions(
    MEASURED,
    {"perfect": SIGNAL, "half": SIGNAL + RNG.normal(size=(N, VOXELS)), "none": 0 * SIGNAL},
    np.arange(N),
    EXPLAINABLE,
)
REGIONS = {"all": np.ones(VOXELS, bool), "noise": np.arange(VOXELS) == 0}


def test_correlations_are_pearsons_and_a_constant_correlates_with_nothing():
    found = encoding_scores.correlations(FOUND)
    pearson = peer("scipy.stats").pearsonr(SIGNAL, MEASURED).statistic
    np.testing.assert_allclose(found["perfect"], pearson, rtol=1e-10)
    assert (found["none"] == 0).all()
    ratio = encoding_scores.normalised(found["perfect"], FOUND)
    np.testing.assert_allclose(ratio[1:], pearson[1:] / np.sqrt(0.5), rtol=1e-10)
    assert np.isnan(ratio[0])


def test_medians_count_voxels_with_signal_and_have_intervals_over_stimuli():
    values = encoding_scores.medians(FOUND, REGIONS, n_bootstrap=200)
    score = encoding_scores.interval(values["all"]["perfect"], N)
    expected = np.median(encoding_scores.correlations(FOUND)["perfect"][1:]) / np.sqrt(0.5)
    assert score.value == pytest.approx(expected) and 0.8 < score.low < 1.05 < score.high < 1.3
    assert np.isnan(values["noise"]["perfect"]).all()
    assert not encoding_scores.interval(values["noise"]["perfect"], N).has_interval
    assert encoding_scores.best_two(values["all"], ["none", "half", "perfect"]) == (
        "perfect",
        "half",
    )
    difference = values["all"]["perfect"] - values["all"]["half"]
    assert encoding_scores.interval(difference, N).low > 0
    few = Predictions(MEASURED[:8], {"perfect": SIGNAL[:8]}, np.arange(8), None)
    jackknifed = encoding_scores.medians(few, REGIONS, 200)["all"]["perfect"]
    assert len(jackknifed) == 9 and encoding_scores.interval(jackknifed, 8).has_interval
    with pytest.raises(InputError, match="2 stimuli"):
        encoding_scores.medians(Predictions(MEASURED[:2], {}, np.arange(2), None), REGIONS, 9)


def test_rows_of_a_stimulus_are_resampled_together():
    twice = Predictions(
        np.tile(MEASURED, (2, 1)),
        {"perfect": np.tile(SIGNAL, (2, 1))},
        np.tile(np.arange(N), 2),
        EXPLAINABLE,
    )
    once = encoding_scores.medians(FOUND, REGIONS, 50)["all"]["perfect"]
    np.testing.assert_allclose(encoding_scores.medians(twice, REGIONS, 50)["all"]["perfect"], once)


def test_frames_of_a_movie_are_one_piece_of_evidence():
    """A mean over movies has its interval over movies; what is exact over images is not."""
    movie = np.repeat(np.arange(6), 10)
    apart = Predictions(MEASURED, {"perfect": SIGNAL}, np.arange(N), None)
    of_movies = dataclasses.replace(apart, groups=movie)
    values = encoding_scores.medians(of_movies, REGIONS, 50)["all"]["perfect"]
    assert of_movies.n_units == 6 and len(values) == 7
    without = [
        np.median([np.corrcoef(SIGNAL[k, v], MEASURED[k, v])[0, 1] for v in range(VOXELS)])
        for k in (movie != m for m in range(6))
    ]
    np.testing.assert_allclose(values[1:], without)
    alike = 3 * RNG.normal(size=(2, 6, 400))[:, movie] + RNG.normal(size=(2, N, 400))
    r = peer("scipy.stats").pearsonr(*alike).statistic  # noise that the frames of a movie share
    assert encoding_scores.predicted_voxels(r, N).mean() > 0.2
    assert encoding_scores.predicted_voxels(r, 6).mean() < 0.01


def test_few_voxels_of_noise_are_called_predicted():
    noise = peer("scipy.stats").pearsonr(RNG.normal(size=(N, 2000)), RNG.normal(size=(N, 2000)))
    assert encoding_scores.predicted_voxels(noise.statistic, N).mean() < 0.01
    assert encoding_scores.predicted_voxels(encoding_scores.correlations(FOUND)["perfect"], N).all()
