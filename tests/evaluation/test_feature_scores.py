"""Scores of decoded features, against bdpy and plain loops in float64."""

import numpy as np
import pytest

from fmri_jax.errors import InputError
from fmri_jax.evaluation import feature_scores as fs
from fmri_jax.evaluation.training_span import project_features
from tests.peers import peer

SHAPE = (3, 4, 2)  # of a layer


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Every layer of these tests takes several blocks, the last one not full."""
    monkeypatch.setattr(fs, "BLOCK", 7)


def features(n: int = 9, offset: float = 3.0, seed: int = 0):
    """True and decoded features (n, 3, 4, 2) float32 that resemble each other."""
    rng = np.random.default_rng(seed)
    true = (offset + rng.normal(size=(n, *SHAPE))).astype(np.float32)
    decoded = (0.4 * true + rng.normal(size=true.shape)).astype(np.float32)
    return true, decoded


def test_scores_are_those_of_bdpy():
    metrics = peer("bdpy.evals.metrics")
    true, decoded = features()
    rng = np.random.default_rng(1)
    mean, deviation = rng.normal(3, 1, SHAPE), rng.uniform(0.5, 2, SHAPE)
    profile = fs.profile_correlation(true, decoded)
    assert profile.left_out == 0
    expected = metrics.profile_correlation(decoded.astype(float), true.astype(float))
    np.testing.assert_allclose(profile.correlation, expected.ravel(), atol=1e-10)
    pattern = fs.pattern_correlation(true, decoded, mean, deviation)
    expected = metrics.pattern_correlation(decoded.astype(float), true, mean, deviation)
    np.testing.assert_allclose(pattern, expected, atol=1e-10)
    expected = metrics.pairwise_identification(decoded.astype(float), true)
    np.testing.assert_allclose(fs.identification(true, decoded), expected)
    assert 0.5 < expected.mean() < 1  # not all right: order matters


def test_trials_of_one_stimulus_are_no_distractors_of_each_other():
    metrics = peer("bdpy.evals.metrics")
    images, _ = features(4)
    stimulus = np.array([3, 1, 1, 2, 0, 3, 3])
    decoded = features(7, seed=5)[0]
    found = fs.identification(images[stimulus], decoded, stimulus)
    expected = metrics.pairwise_identification(
        decoded, images, single_trial=True, pred_labels=list(stimulus), true_labels=[0, 1, 2, 3]
    )
    np.testing.assert_allclose(found, expected)
    with pytest.raises(InputError, match="found one stimulus: expected at least two"):
        fs.identification(images[[1, 1]], decoded[:2], np.array([1, 1]))


def test_ties_are_no_success():
    true, _ = features()
    alike = np.repeat(true[:1], 9, axis=0)
    np.testing.assert_array_equal(fs.identification(alike, true), 0)
    constant = np.full_like(true, 0.1)  # correlates with nothing
    np.testing.assert_array_equal(fs.identification(true, constant), 0)
    assert fs.identification(true, true).min() == 1


def test_units_that_never_vary_are_left_out_and_counted():
    true, decoded = features()
    mean, deviation = true.mean(axis=0), true.std(axis=0)
    whole = [fs.profile_correlation(true, decoded).correlation]
    whole.append(fs.pattern_correlation(true, decoded, mean, deviation))
    padded = [
        np.concatenate([a, np.full((9, *SHAPE[:2], 1), 0.1, "f4")], 3) for a in (true, decoded)
    ]
    padded[1][..., -1] += np.float32(1e-8)
    dead = np.zeros(padded[0].shape[1:])
    mean, deviation = (np.concatenate([a, dead[..., :1]], 2) for a in (mean, deviation))
    profile = fs.profile_correlation(*padded)
    assert profile.left_out == 12 and not profile.varies.reshape(dead.shape)[..., -1].any()
    np.testing.assert_allclose(profile.correlation, whole[0], atol=1e-12)
    pattern = fs.pattern_correlation(*padded, mean, deviation)
    np.testing.assert_allclose(pattern, whole[1], atol=1e-12)
    same = np.broadcast_to(mean, padded[0].shape)  # z-scored, the same in all units
    np.testing.assert_array_equal(fs.pattern_correlation(padded[0], same, mean, deviation), 0)


def test_large_offsets_do_not_spoil_small_differences():
    true, decoded = features(offset=0)
    plain = fs.profile_correlation(true, decoded).correlation
    shifted = [(a.astype(np.float64) + 1e4) for a in (true, decoded)]
    np.testing.assert_allclose(fs.profile_correlation(*shifted).correlation, plain, atol=1e-7)
    np.testing.assert_allclose(fs.identification(*shifted), fs.identification(true, decoded))
    means = [
        fs.mean_profile(*(a + offset for a in shifted), np.arange(9), False).value
        for offset in (0.0, 1e5)
    ]
    assert means[1] == pytest.approx(means[0], rel=1e-9)


def test_the_mean_profile_and_its_interval():
    """Many units, one signal: the interval over images holds what images of the kind give."""
    rng = np.random.default_rng(2)
    true = rng.normal(size=(60, 40))
    decoded = true + 2 * rng.normal(size=true.shape)
    score = fs.mean_profile(true, decoded, np.arange(60))
    expected = np.mean([np.corrcoef(true[:, j], decoded[:, j])[0, 1] for j in range(40)])
    assert score.value == pytest.approx(expected)
    assert score.low < 1 / np.sqrt(5) < score.high and score.high - score.low < 0.2
    true[:, :39] = 1
    alone = fs.mean_profile(true, decoded, np.arange(60), False)
    assert alone.value == pytest.approx(np.corrcoef(true[:, 39], decoded[:, 39])[0, 1])
    assert np.isnan(fs.mean_profile(true[:, :5], decoded[:, :5], np.arange(60)).value)


def test_the_ceiling_of_repeats():
    rng = np.random.default_rng(3)
    signal = rng.normal(size=(20, 10))
    repeats = signal + rng.normal(size=(5, 20, 10))
    repeats[:, :, 3], repeats[1, :, 4], repeats[:, :, 5] = 2.0, 1.0, -repeats[:, :, 5]
    repeats[::2, :, 6] *= -1
    expected = np.zeros(10)
    for j in range(10):
        pairs = [(a, b) for a in range(5) for b in range(a)]
        with np.errstate(invalid="ignore", divide="ignore"):
            r = [np.corrcoef(repeats[a, :, j], repeats[b, :, j])[0, 1] for a, b in pairs]
        expected[j] = max(np.mean(np.nan_to_num(r)), 0)
    ceiling = fs.repeat_ceiling(repeats)
    np.testing.assert_allclose(ceiling, expected, atol=1e-12)
    assert ceiling[3] == ceiling[6] == 0 < ceiling[4]
    profile = fs.profile_correlation(signal, repeats.mean(axis=0))
    relative = fs.normalised(profile, ceiling)
    assert relative.left_out == 2 and np.isfinite(relative.correlation).all()
    assert relative.correlation[0] == pytest.approx(profile.correlation[0] / ceiling[0])
    with pytest.raises(InputError, match="found 1 repeat"):
        fs.repeat_ceiling(repeats[:1])


def test_shapes_that_differ_are_rejected():
    true, decoded = features()
    with pytest.raises(InputError, match="expected the same"):
        fs.profile_correlation(true, decoded[:, :2])


@pytest.mark.parametrize("copies", [0, 3])
def test_nothing_in_the_span_of_training_comes_nearer_than_the_projection(copies):
    rng = np.random.default_rng(4)
    training, targets = rng.normal(2, 1, (12, *SHAPE)), rng.normal(2, 1, (3, *SHAPE))
    training[:copies] = training[3 : 3 + copies]
    scale = rng.uniform(0.2, 3, SHAPE)
    scale[0, 0, 0] = 0
    projected = project_features(training, targets, scale)
    weight = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0).ravel()
    mean = training.mean(axis=0)
    design = ((training - mean).reshape(12, -1) * weight).T
    solved = np.linalg.lstsq(design, ((targets - mean).reshape(3, -1) * weight).T, rcond=1e-8)[0]
    expected = (solved.T @ (training - mean).reshape(12, -1)).reshape(targets.shape) + mean
    np.testing.assert_allclose(projected, expected, atol=1e-5)
    mixture = np.tensordot(rng.dirichlet(np.ones(12), 2), training, axes=1)
    np.testing.assert_allclose(project_features(training, mixture, scale), mixture, atol=1e-5)
