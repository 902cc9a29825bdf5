"""Simulated subjects whose scores are known beforehand, through preparation, ridge and scores."""

import functools

import numpy as np
import pytest

from fmri_jax.data.preparation.folds import PreparationConfig, folds
from fmri_jax.datasets import simulated
from fmri_jax.evaluation import EvaluationConfig, baselines, chance, score
from fmri_jax.evaluation.clusters import cluster_stimuli
from fmri_jax.evaluation.noise_ceiling import noise_ceiling
from fmri_jax.evaluation.training_span import project_onto_span
from fmri_jax.evaluation.without_mean import blind_test

N_TRAIN, N_TEST = 200, 30
PIXELS_ONLY = EvaluationConfig(perceptual=False)


@functools.cache
def decoded(noise: float, n_categories: int = 0):
    """Targets, ridge reconstructions, training images and the recording of a simulated subject."""
    recording = simulated.load(
        image_size=16,
        n_training=N_TRAIN,
        training_repeats=2,
        n_test=N_TEST,
        test_repeats=2,
        shape_repeats=0,
        letter_repeats=0,
        n_voxels=300,
        areas=("V1", "V2", "V3", "V4"),
        noise_ceiling=1 - noise,
        n_categories=n_categories,
    )
    (fold,) = folds(recording, PreparationConfig())
    test = fold.tests["test"]
    fitted = baselines.ridge(fold.train.fmri, fold.train.stimulus, fold.train.images)
    seen = fold.train.images[np.unique(fold.train.stimulus)]
    return test.targets(), fitted.reconstruct(test.fmri), seen, recording


def test_noise_is_at_chance():
    targets, reconstructions, seen, recording = decoded(noise=1)
    found = score(targets, reconstructions, seen, config=PIXELS_ONLY)
    for name, level in chance(N_TEST, N_TRAIN).items():
        if name in found:
            assert found[name] == pytest.approx(level, abs=0.1)
    assert blind_test(targets, reconstructions).p > 0.05
    trials = recording.split == "test"
    assert (
        noise_ceiling(recording.fmri[trials], recording.stimulus[trials]).explainable().mean() < 0.1
    )


def test_without_noise_scores_approach_the_ceiling():
    targets, reconstructions, seen, recording = decoded(noise=0)
    found = score(targets, reconstructions, seen, config=PIXELS_ONLY)
    limit = score(targets, project_onto_span(seen, targets), seen, config=PIXELS_ONLY)
    assert found["identification_2way"] > 0.98 and found["identification_vs_train"] > 0.8
    assert 0.8 * limit["pixel_correlation"] < found["pixel_correlation"]
    assert found["mse"] > limit["mse"]
    trials = recording.split == "test"
    ceiling = noise_ceiling(recording.fmri[trials], recording.stimulus[trials]).explainable()
    np.testing.assert_allclose(ceiling, 1, atol=1e-6)


def test_more_noise_scores_lower():
    scores = [score(*decoded(noise)[:3], config=PIXELS_ONLY) for noise in (0, 0.8, 1)]
    for name in ("pixel_correlation", "ssim", "identification_2way", "identification_10way"):
        clear, usual, drowned = (found[name] for found in scores)
        assert clear > usual > drowned


def test_a_subject_that_tells_only_categories_is_unmasked():
    """Significant, impressive in pairs, and gone against the training images."""
    targets, reconstructions, seen, _ = decoded(noise=0, n_categories=10)
    found = score(targets, reconstructions, seen, config=PIXELS_ONLY)
    assert blind_test(targets, reconstructions).p < 0.01
    assert found["identification_2way"] > 0.75
    assert found["identification_10way"] < 0.6
    assert found["identification_vs_train"] < 0.1
    honest = score(*decoded(noise=0.8)[:3], config=PIXELS_ONLY)
    assert honest["identification_vs_train"] > 2 * found["identification_vs_train"]


def test_clusters_of_stimuli_become_folds_that_are_harder():
    recording = decoded(noise=0)[3]
    groups = cluster_stimuli(recording.images, n_clusters=3)
    parts = list(folds(recording, PreparationConfig(split="cluster"), groups))
    assert len(parts) == 3
    for part in parts:
        trained, tested = set(part.train.stimulus), set(part.tests["test"].stimulus)
        assert not trained & tested
        assert len({groups[s] for s in tested}) == 1
    at_random = np.random.default_rng(0).permutation(groups)
    alike = np.corrcoef(recording.images.reshape(len(groups), -1))

    def nearest_in_training(labels):
        return np.where(labels[:, None] != labels, alike, -1).max(axis=1).mean()

    assert nearest_in_training(groups) < nearest_in_training(at_random)
