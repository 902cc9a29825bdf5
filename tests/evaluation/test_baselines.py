"""Baselines against scikit-learn, on random problems and on the real recording."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from fmri_jax.data.preparation.folds import Fold, Trials
from fmri_jax.errors import InputError
from fmri_jax.evaluation import baselines, ridge
from fmri_jax.evaluation.repeats import average_by_stimulus
from fmri_jax.linear.penalties import PENALTIES
from fmri_jax.methods import RunContext
from fmri_jax.pipeline import cross_validation
from fmri_jax.pipeline.run_record import RunRecord
from fmri_jax.training.mesh import make_mesh


def problem(stimuli: int, voxels: int, repeats: int = 1, seed: int = 0):
    """Images, trials in random order and what each trial shows."""
    rng = np.random.default_rng(seed)
    images = rng.uniform(0.2, 0.8, (stimuli, 5, 4, 3)).astype(np.float32)
    stimulus = rng.permutation(np.repeat(np.arange(stimuli), repeats))
    weights = rng.normal(size=(60, voxels))
    fmri = images[stimulus].reshape(len(stimulus), -1) @ weights
    fmri = fmri + rng.normal(size=fmri.shape)
    return fmri.astype(np.float32), stimulus, images


@pytest.mark.parametrize("voxels", [20, 200])
def test_ridge_is_scikit_learns_leave_one_out(voxels):
    fmri, stimulus, images = problem(50, voxels)
    x = fmri[np.argsort(stimulus)]
    centred = x - x.mean(axis=0)
    alphas = np.array(PENALTIES) * np.sum(centred**2) / len(x)
    pixels = images.reshape(50, -1)
    expected = RidgeCV(alphas).fit(x.astype(float), pixels.astype(float))
    with jax.enable_x64(True):
        fitted = baselines.ridge(fmri.astype(float), stimulus, images.astype(float))
        assert float(fitted.penalty) == pytest.approx(expected.alpha_, rel=1e-6)
        np.testing.assert_allclose(
            fitted.reconstruct(fmri[:7].astype(float)).reshape(7, -1),
            np.clip(expected.predict(fmri[:7].astype(float)), 0, 1),
            atol=1e-9,
        )
    fitted = baselines.ridge(fmri, stimulus, images)
    assert fitted.reconstruct(fmri[:7]).shape == (7, 5, 4, 3)
    np.testing.assert_allclose(
        fitted.reconstruct(fmri[:7]).reshape(7, -1),
        np.clip(expected.predict(fmri[:7]), 0, 1),
        atol=1e-4,
    )


def test_repeats_are_averaged():
    fmri, stimulus, images = problem(12, 30, repeats=4)
    rows, seen = average_by_stimulus(fmri, stimulus + 5)
    assert seen.tolist() == list(range(5, 17))
    expected = [fmri[stimulus == s].mean(axis=0) for s in range(12)]
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-5)
    by_trial = baselines.ridge(fmri, stimulus, images)
    by_row = baselines.ridge(rows, np.arange(12), images)
    for a, b in zip(by_trial, by_row, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("voxels", [10, 60])
def test_single_trials_leave_out_all_trials_of_a_stimulus(voxels):
    fmri, stimulus, images = (values[:40] for values in problem(16, voxels, repeats=3))
    y = images[stimulus].reshape(len(stimulus), -1).astype(float)
    alphas = np.array(PENALTIES) * np.sum((fmri - fmri.mean(axis=0)) ** 2) / len(fmri)
    errors = []
    for alpha in alphas:
        left_out = cross_val_predict(Ridge(alpha), fmri, y, groups=stimulus, cv=LeaveOneGroupOut())
        errors.append(np.sum((left_out - y) ** 2))
    best = alphas[np.argmin(errors)]
    assert alphas[0] < best < alphas[-1] and len(np.unique(np.bincount(stimulus))) > 1
    fitted = baselines.ridge(fmri, stimulus, images, average=False)
    assert float(fitted.penalty) == pytest.approx(best, rel=1e-4)
    expected = Ridge(best).fit(fmri.astype(float), y).predict(fmri.astype(float))
    np.testing.assert_allclose(
        fitted.reconstruct(fmri).reshape(y.shape), np.clip(expected, 0, 1), atol=1e-4
    )


@pytest.mark.parametrize("average", [False])
def test_the_penalty_may_be_chosen_by_what_is_identified_of_left_out_stimuli(average):
    """By hand: scikit-learn's predictions laid on the mean of all, correlated with every target."""
    fmri, stimulus, images = problem(16, 60, repeats=3)
    fmri, stimulus = fmri[4:], stimulus[4:]
    images = (0.5 + 0.2 * (images - 0.5) + 0.5 * images[:1]).clip(0, 1)  # alike, as photographs
    rows, seen = average_by_stimulus(fmri, stimulus) if average else (fmri, stimulus)
    y = images.reshape(16, -1).astype(float)
    everyone = y.mean(axis=0)
    alphas = np.array(PENALTIES) * np.sum((rows - rows.mean(axis=0)) ** 2) / len(rows)
    shares = []
    for alpha in alphas:
        wins = []
        for left_out in np.unique(seen):
            train, test = seen != left_out, seen == left_out
            model = Ridge(alpha).fit(rows[train].astype(float), y[seen[train]])
            means = y[seen[train]].mean(axis=0)
            for answer in model.predict(rows[test].astype(float)) - means + everyone:
                r = [np.corrcoef(answer, target)[0, 1] for target in y]
                wins.append(np.mean(np.delete(r, left_out) < r[left_out]))
        shares.append(np.mean(wins))
    fitted = baselines.ridge(fmri, stimulus, images, average=average, choose="identification")
    chosen = np.argmin(np.abs(alphas - float(fitted.penalty)))
    assert float(fitted.penalty) == pytest.approx(alphas[chosen], rel=1e-4)
    assert shares[chosen] == pytest.approx(max(shares), abs=1e-9)
    assert min(shares) < max(shares) < 1
    by_error = baselines.ridge(fmri, stimulus, images, average=average)
    assert float(fitted.penalty) < float(by_error.penalty)


@pytest.mark.parametrize("averages", [False, True])
def test_a_run_averages_training_trials_where_test_trials_are_averages(tmp_path, averages):
    fmri, stimulus, images = problem(12, 30, repeats=4)
    images = np.rint(255 * images).astype(np.uint8)
    trials = Trials(fmri, stimulus, images, np.zeros(48, int), ("",) * 12)
    train = trials.take(np.flatnonzero(stimulus < 9))
    test = trials.take(np.flatnonzero(stimulus >= 9))
    if averages:
        rows, seen = average_by_stimulus(test.fmri, test.stimulus)
        test = Trials(rows, seen, images, np.zeros(3, int), ("",) * 12, repeats=np.full(3, 4))

    class MeanImage:
        def fit(self, trials, context):
            return self

        def reconstruct(self, fmri):
            return np.repeat(images.mean(axis=0)[None] / 255, len(fmri), axis=0)

    context = RunContext(tmp_path, "all", jax.random.key(0), make_mesh(1))
    fold = Fold("all", train, {"test": test}, np.ones(30, bool))
    rows = cross_validation.run_fold(fold, 0, 2, MeanImage(), context, RunRecord(tmp_path))
    expected = baselines.ridge(train.fmri, train.stimulus, images, average=averages)
    found = rows.predictions["ridge"][rows.split == "test"]
    np.testing.assert_allclose(found, expected.reconstruct(test.fmri), atol=1e-5)


def test_what_preparation_enlarged_is_not_answered_with_more_contrast():
    fmri, stimulus, images = problem(30, 40)
    often = np.repeat(np.arange(len(fmri)), np.where(stimulus % 2, 1, 5))  # unequal repeats
    fmri, stimulus = fmri[often], stimulus[often]
    fitted = baselines.ridge(fmri, stimulus, images)
    mean, gain = fmri.mean(axis=0), np.linspace(1, 3, len(fmri))  # as preparation has the mean
    enlarged = (mean + (fmri - mean) * gain[:, None]).astype(np.float32)
    plain = fitted.reconstruct(fmri)
    np.testing.assert_allclose(fitted.reconstruct(enlarged, gain), plain, atol=1e-4)
    assert np.abs(fitted.reconstruct(enlarged) - plain).max() > 0.05


def test_ridge_on_a_real_recording_is_scikit_learns(recordings):
    with np.load(recordings / "object2vec_subj001.npz") as data:
        fmri, images, run = data["fmri"], data["images"][:, ::8, ::8], data["run"]
    train, test = run != run[0], run == run[0]
    mean, deviation = fmri[train].mean(axis=0), fmri[train].std(axis=0)
    fmri = (fmri - mean) / deviation
    fitted = baselines.ridge(fmri[train], np.flatnonzero(train), images)
    pixels = images.reshape(len(images), -1) / 255
    expected = Ridge(float(fitted.penalty)).fit(fmri[train].astype(float), pixels[train])
    np.testing.assert_allclose(
        fitted.reconstruct(fmri[test]).reshape(test.sum(), -1),
        np.clip(expected.predict(fmri[test].astype(float)), 0, 1),
        atol=1e-4,
    )


def test_constant_voxels_and_constant_pixels_do_no_harm():
    fmri, stimulus, images = problem(10, 15)
    fmri[:, 3], images[:, 0] = 0, 1
    decoded = baselines.ridge(fmri, stimulus, images).reconstruct(fmri)
    assert np.isfinite(decoded).all()
    np.testing.assert_allclose(decoded[:, 0], 1, atol=1e-6)
    blind = baselines.ridge(np.zeros_like(fmri), stimulus, images).reconstruct(fmri)
    np.testing.assert_allclose(blind, np.broadcast_to(images.mean(axis=0), blind.shape), atol=1e-6)


def test_mean_and_black_images():
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3)).astype(np.uint8)
    mean = baselines.mean_image(images, 3)
    assert mean.shape == (3, 4, 4, 3) and mean.dtype == np.float32
    np.testing.assert_allclose(mean[2], images.mean(axis=0) / 255, rtol=1e-6)
    assert not baselines.all_black(images).any()


def test_shuffling_keeps_the_values_of_each_row_and_loses_their_place():
    fmri = np.arange(40.0).reshape(4, 10)
    seen = []

    def reconstruct(voxels: jax.Array) -> jax.Array:
        seen.append(np.asarray(voxels))
        return jnp.zeros((len(voxels), 2, 2, 1))

    assert baselines.shuffled_fmri(reconstruct, fmri, seed=1).shape == (4, 2, 2, 1)
    baselines.shuffled_fmri(reconstruct, fmri, seed=1)
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(np.sort(seen[0], axis=1), fmri)
    orders = seen[0] - fmri[:, :1]
    assert len(np.unique(orders, axis=0)) == 4


def test_useless_input_is_refused():
    fmri, stimulus, images = problem(10, 15)
    with pytest.raises(InputError, match="there are 5 images"):
        baselines.ridge(fmri, stimulus, images[:5])
    with pytest.raises(InputError, match="one training stimulus"):
        baselines.ridge(fmri, np.zeros(10, int), images)


def test_one_eigendecomposition_serves_all_penalties_and_pixels():
    fmri, stimulus, images = problem(20, 30)
    rows, _ = average_by_stimulus(fmri, stimulus)
    penalties = np.asarray(PENALTIES, np.float32)
    alone = np.arange(20)[:, None]
    traced = str(jax.make_jaxpr(ridge._solve)(rows, images, alone, penalties))
    assert traced.count(" eigh[") == 1
