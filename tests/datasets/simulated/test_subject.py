"""The simulated recording as a whole, against the truth behind it."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fmri_jax.data.images import resize
from fmri_jax.datasets.simulated import Truth, VirtualSubjectConfig, areas, load, simulate
from fmri_jax.errors import InputError

PROJECTION = np.random.default_rng(7).normal(size=(8 * 8 * 3, 3 * 3 * 64)).astype(np.float32)


def random_features(images: np.ndarray) -> dict[str, np.ndarray]:
    """Two layers of rectified random projections of thumbnails, in place of AlexNet's."""
    thumbnails = resize(images, 8).reshape(len(images), -1).astype(np.float32) / 255
    units = np.maximum((thumbnails - 0.5) @ PROJECTION, 0).reshape(-1, 3, 3, 64)
    return {"relu4": units[..., :32], "relu5": units[..., 32:]}


BASE = VirtualSubjectConfig(
    image_size=32, n_training=300, n_test=30, n_voxels=700, features=random_features
)
EARLY = dataclasses.replace(
    BASE, areas=areas.EARLY, features=None, n_training=60, n_test=12, n_voxels=60, letter_repeats=0
)


@pytest.fixture(scope="module")
def simulated():
    return simulate(BASE)


def repeats_of(recording, split: str) -> np.ndarray:
    """(stimuli, repeats, voxels): the trials of each stimulus of one split."""
    chosen = np.flatnonzero(recording.split == split)
    order = chosen[np.argsort(recording.stimulus[chosen], kind="stable")]
    n = len(np.unique(recording.stimulus[chosen]))
    return recording.fmri[order].reshape(n, -1, recording.fmri.shape[1])


def test_the_session_says_that_it_is_simulated(simulated):
    recording, _ = simulated
    assert recording.simulated
    assert recording.description.startswith(
        "Simulated fMRI, no person was scanned: 700 model voxels"
    )
    assert "train 300 x 5, test 30 x 24, shapes 40 x 20, letters 10 x 12" in recording.description
    assert recording.fmri.shape == (300 * 5 + 30 * 24 + 40 * 20 + 10 * 12, 700)
    assert recording.images.shape == (380, 32, 32, 3)


def test_regions_and_their_unions(simulated):
    rois = simulated[0].rois
    single = [rois[name] for name in areas.NAMES]
    np.testing.assert_array_equal(np.sum(single, axis=0), 1)  # a partition
    assert rois["VC"].all()
    np.testing.assert_array_equal(rois["V1V2"], rois["V1"] | rois["V2"])
    np.testing.assert_array_equal(rois["LVC"], rois["V1V2"] | rois["V3"])
    np.testing.assert_array_equal(rois["HVC"], rois["LOC"] | rois["FFA"] | rois["PPA"])
    assert set(simulate(EARLY)[0].rois) == {*areas.EARLY, "V1V2", "LVC", "VC"}


def test_noise_ceilings_measured_from_repeats_are_the_designed_ones(simulated):
    recording, truth = simulated
    trials = repeats_of(recording, "train")
    n = trials.shape[1]
    within = trials.var(1, ddof=1).mean(0)
    signal = trials.mean(1).var(0, ddof=1) - within / n
    measured = signal / (signal + within)
    assert np.corrcoef(measured, truth.noise_ceiling)[0, 1] > 0.98
    assert abs(measured - truth.noise_ceiling).mean() < 0.03
    total = np.sqrt(signal + within)
    np.testing.assert_allclose(total / truth.gain, 1, atol=0.15)


def test_averaging_24_repeats_raises_the_signal_to_noise_ratio_24_fold(simulated):
    recording, truth = simulated
    trials = repeats_of(recording, "test")
    clean = truth.responses[300:330] * truth.gain * np.sqrt(truth.noise_ceiling)

    def noise_power(measured: np.ndarray) -> np.ndarray:
        error = measured - clean
        return ((error - error.mean(0)) ** 2).mean(0)  # without the voxel's own baseline

    single = np.mean([noise_power(trials[:, k]) for k in range(24)], axis=0)
    ratio = single.sum() / noise_power(trials.mean(1)).sum()
    assert 20 < ratio < 29


def test_drift_shows_between_runs_and_can_be_switched_off():
    def between_runs(drift: float) -> float:
        options = dataclasses.replace(EARLY, noise_ceiling=0.0, shared_noise=0.0, drift=drift)
        recording, truth = simulate(options)
        fmri = recording.fmri / truth.gain
        means = np.stack([fmri[recording.run == r].mean(0) for r in np.unique(recording.run)])
        return float(np.mean(means[1:] * means[:-1]))  # neighbouring runs, independent noise

    assert abs(between_runs(0.0)) < 0.01
    assert between_runs(0.4) > 0.2


def test_everything_follows_from_the_seed():
    one, again = simulate(EARLY)[0], simulate(EARLY)[0]
    assert one.fingerprint() == again.fingerprint()
    other = simulate(dataclasses.replace(EARLY, seed=1))[0]
    assert other.fingerprint() != one.fingerprint()
    assert not np.array_equal(other.images[:60], one.images[:60])


def test_another_choice_of_images_leaves_the_subject_as_it_is():
    truths: list[Truth] = []
    for change in ({}, {"n_training": 70}, {"shape_repeats": 0}, {"test_repeats": 2}):
        truths.append(simulate(dataclasses.replace(EARLY, **change))[1])
    for truth in truths[1:]:
        for name in ("x", "y", "size"):
            one, other = (getattr(t.fields, name) for t in (truths[0], truth))
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(truth.noise_ceiling, truths[0].noise_ceiling)
    # Nor do other test images change what the training images evoke.
    for truth in truths[2:]:
        np.testing.assert_allclose(truth.responses[:60], truths[0].responses[:60], atol=1e-4)


def pairwise(recording, roi: str, alpha: float = 1e3) -> float:
    """Pairwise identification of the test images, from ridge regression to 16 x 16 pixels."""
    pixels = resize(recording.images, 16).reshape(len(recording.images), -1) / 255
    train, test = (repeats_of(recording, split).mean(1) for split in ("train", "test"))
    mean, deviation = train.mean(0), train.std(0)
    voxels = recording.rois[roi] & (deviation > 0)
    train, test = (((a - mean) / np.maximum(deviation, 1e-9))[:, voxels] for a in (train, test))
    n = len(train)
    found = Ridge(alpha).fit(train, pixels[:n]).predict(test)
    correlation = np.corrcoef(found, pixels[n : n + len(test)])[: len(test), len(test) :]
    margin = np.round(np.diag(correlation) - correlation.T, 6)  # own image against another
    wins = (margin > 0) + 0.5 * (margin == 0)
    return float((wins.sum() - 0.5 * len(test)) / (len(test) * (len(test) - 1)))


def test_early_areas_hold_the_pixels_and_v4_fewer_of_them(simulated):
    scores = {roi: pairwise(simulated[0], roi, alpha=100) for roi in ("VC", "V1V2", "V1", "V4")}
    assert scores["VC"] > 0.97 and scores["V1V2"] > 0.95
    assert scores["V1"] > scores["V4"] > 0.7


def test_a_subject_of_noise_only_tells_nothing():
    recording, truth = simulate(dataclasses.replace(BASE, noise_ceiling=0.0))
    assert (truth.noise_ceiling == 0).all()
    trials = repeats_of(recording, "train")
    n = trials.shape[1]
    ratio = n * trials.mean(1).var(0, ddof=1).mean() / trials.var(1, ddof=1).mean()
    assert abs(ratio - 1) < 0.05  # the F ratio of images that explain nothing
    assert 0.3 < pairwise(recording, "VC") < 0.7


def test_a_noiseless_subject_repeats_itself_exactly():
    recording, truth = simulate(dataclasses.replace(BASE, noise_ceiling=1.0))
    trials = repeats_of(recording, "test")
    assert np.ptp(trials, axis=1).max() == 0
    np.testing.assert_allclose(trials[:, 0], truth.responses[300:330] * truth.gain, atol=1e-5)
    assert pairwise(recording, "VC", alpha=1.0) > 0.98


def test_a_category_only_subject_tells_apart_clusters_and_no_more():
    options = dataclasses.replace(BASE, n_categories=16, noise_ceiling=1.0, features=None)
    recording, truth = simulate(options)
    assert truth.category is not None and set(truth.category[:300]) == set(range(16))
    assert len(np.unique(truth.responses.round(4), axis=0)) == 16
    assert "tell apart only 16 clusters" in recording.description
    # Decoding nothing but one of k categories wins most pairs, yet never finds the single image.
    assert 0.8 < pairwise(recording, "VC", alpha=1.0) < 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trainings": 3}, "n_trainings is not a known option: did you mean 'n_training'"),
        ({"n_training": 1}, "n_training is 1: expected at least 2"),
        ({"n_training": "many"}, "n_training is 'many'"),
        ({"image_size": 4}, "image_size is 4: expected at least 8"),
        ({"noise_ceiling": 1.5}, "noise_ceiling is 1.5: expected a share between 0 and 1"),
        ({"noise_ceiling": float("nan")}, "noise_ceiling is nan: expected a finite number"),
        ({"shared_noise": 0.6, "drift": 0.6}, r"shared_noise \+ drift is 1.2"),
        ({"areas": ("V1", "V5")}, "areas: 'V5' is not a known area: choose one of"),
        ({"areas": ()}, "areas is .*: expected one or more of"),
        ({"areas": ("V1", "V1")}, "areas is .*each once"),
        ({"areas": ("V1", "V2"), "n_voxels": 1}, "n_voxels is 1 for 2 areas"),
        ({"features": None}, "areas includes LOC, FFA, PPA, .* but features is not given"),
        ({"n_categories": 1}, "n_categories is 1: expected 0"),
        ({"features": 3}, "features is 3"),
        ({"images": "/no/such/folder", "areas": ("V1",)}, "/no/such/folder"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, message):
    with pytest.raises(InputError, match=message):
        load(**options)


def test_options_reach_the_session():
    recording = load(
        areas=("V1", "V3"), image_size=16, n_training=20, n_test=4, n_voxels=30, training_repeats=2
    )
    assert recording.images.shape[1:] == (16, 16, 3)
    assert (recording.split == "train").sum() == 40
    assert set(recording.rois) == {"V1", "V3", "VC"}
