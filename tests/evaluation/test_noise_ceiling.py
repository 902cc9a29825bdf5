"""Noise ceiling, cluster splits and span, on cases with a known answer."""

import numpy as np
import pytest
import scipy.linalg

from fmri_jax.errors import InputError
from fmri_jax.evaluation import baselines
from fmri_jax.evaluation.clusters import cluster_stimuli
from fmri_jax.evaluation.noise_ceiling import noise_ceiling
from fmri_jax.evaluation.training_span import project_onto_span


def simulate(signal: float, noise: float, stimuli: int, repeats: int, voxels: int, seed: int = 0):
    """Trials with known standard deviations of signal and noise."""
    rng = np.random.default_rng(seed)
    stimulus = rng.permutation(np.repeat(np.arange(stimuli), repeats))
    response = signal * rng.standard_normal((stimuli, voxels))
    return response[stimulus] + noise * rng.standard_normal((len(stimulus), voxels)), stimulus


def test_noise_ceiling_finds_the_variances_that_were_put_in():
    fmri, stimulus = simulate(signal=1, noise=2, stimuli=400, repeats=4, voxels=200)
    drop = np.random.default_rng(1).random(len(stimulus)) < 0.3  # unequal repeats
    ceiling = noise_ceiling(fmri[~drop], stimulus[~drop])
    assert ceiling.noise_variance.mean() == pytest.approx(4, rel=0.03)
    assert ceiling.signal_variance.mean() == pytest.approx(1, rel=0.05)
    assert ceiling.explainable().mean() == pytest.approx(1 / 5, rel=0.05)
    assert ceiling.explainable(n_averaged=4).mean() == pytest.approx(1 / 2, rel=0.05)


def test_a_perfect_model_reaches_the_ceiling_and_no_more():
    rng = np.random.default_rng(2)
    truth = rng.standard_normal((300, 100))
    stimulus = np.repeat(np.arange(300), 3)
    fmri = truth[stimulus] + 1.5 * rng.standard_normal((900, 100))
    averaged = fmri.reshape(300, 3, 100).mean(axis=1)
    reached = [np.corrcoef(truth[:, v], averaged[:, v])[0, 1] ** 2 for v in range(100)]
    ceiling = noise_ceiling(fmri, stimulus).explainable(n_averaged=3)
    assert ceiling.mean() == pytest.approx(np.mean(reached), abs=0.01)


def test_noise_only_is_at_chance_and_noiseless_at_the_ceiling():
    fmri, stimulus = simulate(signal=0, noise=1, stimuli=60, repeats=4, voxels=100)
    assert noise_ceiling(fmri, stimulus).explainable().mean() < 0.05
    fmri, stimulus = simulate(signal=1, noise=0, stimuli=60, repeats=3, voxels=100)
    np.testing.assert_allclose(noise_ceiling(fmri, stimulus).explainable(), 1)
    fmri[:, 0] = 3
    assert noise_ceiling(fmri, stimulus).explainable()[0] == 0


def test_the_ceiling_of_real_v1_comes_from_its_stimuli(recordings):
    with np.load(recordings / "miyawaki2008_s1_v1_figures.npz") as data:
        fmri, stimulus = data["fmri"], data["stimulus"]
    ceiling = noise_ceiling(fmri, stimulus).explainable()
    assert 0.05 < np.median(ceiling) < 0.95
    shuffled = np.random.default_rng(0).permutation(stimulus)
    assert noise_ceiling(fmri, shuffled).explainable().mean() < ceiling.mean() / 3


def test_repeats_are_asked_for():
    with pytest.raises(InputError, match="expected at least two stimuli, some of them repeated"):
        noise_ceiling(np.zeros((5, 2)), np.arange(5))


def test_clusters_that_were_put_in_are_found_largest_first():
    rng = np.random.default_rng(3)
    truth = rng.permutation(np.repeat([0, 1, 2], [30, 20, 10]))
    centres = rng.uniform(size=(3, 6, 6, 3))
    images = centres[truth] + 0.02 * rng.standard_normal((60, 6, 6, 3))
    groups = cluster_stimuli(images, n_clusters=3)
    np.testing.assert_array_equal(groups, truth)


def test_cluster_counts_are_checked():
    with pytest.raises(InputError, match="n_clusters is 9 for 4 stimuli"):
        cluster_stimuli(np.zeros((4, 3)), n_clusters=9)


def test_span_is_scipys_least_squares():
    rng = np.random.default_rng(4)
    training, targets = rng.uniform(size=(12, 5, 5, 3)), rng.uniform(size=(4, 5, 5, 3))
    training = np.concatenate([training, training[:3]])  # duplicates do no harm
    mean = training.mean(axis=0)
    design = (training - mean).reshape(15, -1).T
    wanted = (targets - mean).reshape(4, -1).T
    weights = scipy.linalg.lstsq(design, wanted, cond=1e-8)[0]
    expected = (design @ weights).T.reshape(targets.shape) + mean
    np.testing.assert_allclose(
        project_onto_span(training, targets, clip=False), expected, atol=1e-6
    )
    np.testing.assert_allclose(
        project_onto_span(training, targets), np.clip(expected, 0, 1), atol=1e-6
    )


def test_a_mixture_of_training_images_is_in_their_span():
    rng = np.random.default_rng(5)
    training = rng.uniform(size=(10, 6, 6, 1))
    inside = np.tensordot(rng.dirichlet(np.ones(10), 3), training, axes=1)
    np.testing.assert_allclose(project_onto_span(training, inside), inside, atol=1e-6)
    one = project_onto_span(training[:1], inside)
    np.testing.assert_allclose(one, np.repeat(training[:1], 3, axis=0), atol=1e-6)
    with pytest.raises(InputError, match="expected the same"):
        project_onto_span(training, inside[:, :3])


def test_no_linear_decoder_beats_the_span_on_a_real_recording(recordings):
    with np.load(recordings / "object2vec_subj001.npz") as data:
        fmri, images, run = data["fmri"], data["images"][:, ::4, ::4], data["run"]
    train, test = np.flatnonzero(run != run[0]), np.flatnonzero(run == run[0])
    targets = images[test] / 255
    bound = np.mean((project_onto_span(images[train], targets) - targets) ** 2)
    fitted = baselines.ridge(fmri[train], np.arange(len(train)), images[train])
    decoded = fitted.reconstruct(fmri[test])
    assert bound < np.mean((decoded - targets) ** 2)
    # The decoder cannot leave the span: what it says before clipping projects onto itself.
    inside = project_onto_span(images[train], decoded)
    np.testing.assert_allclose(inside, decoded, atol=0.05)
