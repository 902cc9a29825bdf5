"""Runs brought to one baseline: what is estimated from which trials."""

import dataclasses

import numpy as np
import pytest

from fmri_jax.data.preparation.folds import Fold, PreparationConfig, folds
from fmri_jax.data.preparation.run_centring import centred
from fmri_jax.data.recording import Recording
from fmri_jax.errors import InputError

RUNS, IMAGES, VOXELS = 4, 8, 5
PLAIN = {"average_repeats": "none", "standardise": False, "noise_scaling": False}


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Every image once in each run, on baselines that differ by far more than responses do."""
    random = np.random.default_rng(0)
    run = np.repeat(np.arange(RUNS), IMAGES).astype(np.int32)
    baseline = 1000 * (1 + 0.1 * random.normal(size=(RUNS, VOXELS)))
    fmri = baseline[run] + random.normal(0, 10, (RUNS * IMAGES, VOXELS))
    images = random.integers(0, 255, (IMAGES, 4, 4, 1)).astype(np.uint8)
    return Recording(
        fmri=fmri.astype(np.float32),
        stimulus=np.tile(np.arange(IMAGES), RUNS).astype(np.int32),
        images=images,
        run=run,
        rois={},
        stimulus_names=tuple(map(str, range(IMAGES))),
        split=np.full(len(run), "train"),
    )


def prepared(recording: Recording, **options: object) -> list[Fold]:
    return list(folds(recording, PreparationConfig(**{**PLAIN, **options})))


@pytest.mark.parametrize(
    ("how", "reference"),
    [
        ("centre", lambda x, of: x - of.mean(0)),
        ("zscore", lambda x, of: (x - of.mean(0)) / of.std(0)),
        ("percent", lambda x, of: 100 * (x / of.mean(0) - 1)),
    ],
)
def test_runs_are_estimated_by_their_training_trials(
    recording: Recording, how: str, reference: object
) -> None:
    for left_out, fold in enumerate(prepared(recording, split="stimulus", run_centring=how)):
        kept = recording.stimulus != left_out
        for run in range(RUNS):
            of = recording.fmri[kept & (recording.run == run)].astype(np.float64)
            test = recording.fmri[~kept & (recording.run == run)]
            found = fold.tests["test"].fmri[fold.tests["test"].run == run]
            np.testing.assert_allclose(found, reference(test, of), rtol=1e-4, atol=1e-4)
            found = fold.train.fmri[fold.train.run == run]
            np.testing.assert_allclose(found, reference(of, of), rtol=1e-4, atol=1e-4)
        assert fold.runs_centred_by_test == 0


def test_a_test_image_never_changes_training_or_another_test_image(recording: Recording) -> None:
    changed = recording.fmri.copy()
    changed[recording.stimulus == 3] += 500
    other = dataclasses.replace(recording, fmri=changed)
    before = prepared(recording, split="stimulus", n_folds=2, run_centring="centre")[1]
    after = prepared(other, split="stimulus", n_folds=2, run_centring="centre")[1]
    rows = before.tests["test"].stimulus != 3
    assert 3 in before.tests["test"].stimulus
    np.testing.assert_array_equal(before.train.fmri, after.train.fmri)
    np.testing.assert_array_equal(before.tests["test"].fmri[rows], after.tests["test"].fmri[rows])


def test_runs_of_test_trials_alone_are_counted(recording: Recording) -> None:
    for fold in prepared(recording, split="run", run_centring="centre"):
        assert fold.runs_centred_by_test == 1
        np.testing.assert_allclose(fold.tests["test"].fmri.mean(axis=0), 0, atol=1e-3)
    assert all(f.runs_centred_by_test == 0 for f in prepared(recording, split="run"))


def test_averages_are_of_centred_trials(recording: Recording) -> None:
    (fold, *_) = prepared(
        recording, split="stimulus", run_centring="centre", average_repeats="test"
    )
    single = prepared(recording, split="stimulus", run_centring="centre")[0].tests["test"].fmri
    np.testing.assert_allclose(fold.tests["test"].fmri[0], single.mean(axis=0), rtol=1e-4)


def test_constant_voxels_of_a_run_become_zero() -> None:
    fmri = np.asarray([[1.0, 5], [3, 5], [2, 5]], np.float32)
    rows, none = np.arange(2), np.arange(2, 3)
    found, _ = centred(fmri, np.zeros(3, np.int32), rows, none, "zscore")
    np.testing.assert_allclose(found, [[-1, 0], [1, 0], [0, 0]])


@pytest.mark.parametrize(
    ("how", "values", "message"),
    [
        ("centre", [1000.0, 1001, 1002], "run 1 has 1 training trial .* expected at least 2"),
        ("percent", [0.5, -0.5, 0.1], "the mean of run 0 is not above its spread in 1 of 1 vox"),
    ],
)
def test_what_cannot_be_estimated_is_rejected(how: str, values: list, message: str) -> None:
    fmri = np.asarray(values, np.float32)[:, None]
    with pytest.raises(InputError, match=message):
        centred(fmri, np.asarray([0, 0, 1], np.int32), np.arange(3), np.arange(0), how)
